"""Imported at the start of servers whose coverage is measured (see `tests.server`).

A worker ends by raising its signal again, with the default action: without calling atexit
functions. What was measured is saved before.
"""

import signal

import coverage

_raise_signal = signal.raise_signal


def _save_and_raise(number: int) -> None:
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.save()
    _raise_signal(number)


signal.raise_signal = _save_and_raise
