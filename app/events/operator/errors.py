"""Errors of operator operations."""

from __future__ import annotations


class OperationConflict(Exception):
    """The operation does not fit the state of what it is about; the message says why."""
