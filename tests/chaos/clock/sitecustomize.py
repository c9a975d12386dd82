"""A wall clock that another process can move: Python loads this at the start of each process.

`CHAOS_CLOCK` names a file with the offset in seconds, a double. Monotonic clocks stay as they are.
"""

from __future__ import annotations

import mmap
import os
import struct
import time

_file = os.environ.get("CHAOS_CLOCK")
if _file:
    with open(_file, "rb") as _opened:
        _shared = mmap.mmap(_opened.fileno(), 8, access=mmap.ACCESS_READ)
    _time, _time_ns = time.time, time.time_ns

    def _offset() -> float:
        (seconds,) = struct.unpack("d", _shared[:8])
        return float(seconds)

    def _now() -> float:
        return _time() + _offset()

    def _now_ns() -> int:
        return _time_ns() + int(_offset() * 1e9)

    time.time, time.time_ns = _now, _now_ns
