"""Tests of handlers with a request context of their own, without HTTP."""
