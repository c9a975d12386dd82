"""Progress through the event log: everything up to a position, and acknowledgements beyond it."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from app.events.outbound.delivery_cursors import Ranges, merged_ranges


class Progress:
    """Which events of the log were processed by one subscription.

    `position` is the number below the lowest unfinished event, `read_to` that of the last event
    that was read. `acknowledged` are the events that earlier runs finished beyond `position`.
    """

    def __init__(self, position: int, acknowledged: Ranges = ()) -> None:
        self.position = position
        self.read_to = position
        self._earlier = merged_ranges(each for each in acknowledged if each[1] > position)
        self._read: deque[int] = deque()
        self._unfinished: set[int] = set()

    @property
    def unfinished(self) -> int:
        """How many events were begun and not finished."""
        return len(self._unfinished)

    @property
    def ahead(self) -> int:
        """How many events lie between the position and the last one that was read."""
        return len(self._read)

    def is_acknowledged(self, number: int) -> bool:
        """Whether an earlier run has finished an event."""
        index = bisect_right(self._earlier, number, key=lambda each: each[0]) - 1
        return index >= 0 and number <= self._earlier[index][1]

    def begin(self, number: int) -> None:
        """Note an event that was read and is now to be delivered; numbers ascend."""
        self.read_to = number
        self._read.append(number)
        self._unfinished.add(number)

    def finish(self, number: int) -> None:
        """Note that an event was delivered, stored as a failed delivery, or is not wanted."""
        self._unfinished.discard(number)
        while self._read and self._read[0] not in self._unfinished:
            self.position = self._read.popleft()

    def skip_to(self, number: int) -> None:
        """Go on behind events that are not in the log any more; nothing is being delivered."""
        self.position = self.read_to = max(number, self.position)

    def acknowledged(self) -> Ranges:
        """Return the events beyond `position` that are finished."""
        finished = ((each, each) for each in self._read if each not in self._unfinished)
        earlier = (each for each in self._earlier if each[1] > self.position)
        return merged_ranges([*finished, *earlier])
