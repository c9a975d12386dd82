"""Instants: stored texts as points in time, to the millisecond that every store can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.query import INSTANT

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of(text: str) -> datetime | None:
    """Return the instant a text reads as, to the millisecond; None when it is none."""
    if not INSTANT.fullmatch(text):
        return None
    try:
        return to_millisecond(datetime.fromisoformat(text))
    except (ValueError, OverflowError):  # the 31st of a shorter month, the end of the year 9999
        return None


def to_millisecond(instant: datetime) -> datetime:
    """Round an instant to what BSON can hold, half a millisecond up as SQLite does."""
    microseconds = (instant - _EPOCH) // timedelta(microseconds=1)
    return _EPOCH + timedelta(milliseconds=(microseconds + 500) // 1000)
