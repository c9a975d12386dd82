"""`make bench-store-check`: no query on SQLite costs more than its result asks for.

The instructions of the database are counted at two sizes, not the time: a shape that may not grow
with the collection and does fails the check, on any machine.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from storage import Query
from storage.sqlite.store import SqliteStore
from tests.bench.shapes import Shape, followed, shapes
from tests.bench.store import prepared
from tests.storage.instructions import instructions

SIZES = (2_000, 16_000)
GROWTH_LIMIT = 2.0
SLACK = 1_500
"""Instructions by which the numbers of matches, which are random, may differ."""


@dataclass(frozen=True, slots=True)
class Count:
    """The instructions that a shape takes at the two sizes."""

    shape: Shape
    small: int
    large: int

    @property
    def is_linear(self) -> bool:
        """Whether they grow with the collection."""
        return self.large > GROWTH_LIMIT * self.small + SLACK


def counted(store: SqliteStore, collection: str, total: int) -> Iterator[tuple[Shape, int]]:
    """Count the instructions of each shape, and of the page that its cursor leads to."""
    for shape in shapes(total):
        page, taken = instructions(store, collection, shape.query)
        yield shape, taken
        if page.end is not None and not shape.grows:
            rest = followed(shape)
            query: Query = replace(rest.query, after=page.end)
            yield rest, instructions(store, collection, query)[1]


def counts() -> list[Count]:
    """Count every shape at both sizes."""
    found: dict[str, list[tuple[Shape, int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for total in SIZES:
            with prepared(f"sqlite:///{Path(folder) / str(total)}.db", total) as (store, name):
                assert isinstance(store, SqliteStore)
                for shape, taken in counted(store, name, total):
                    found.setdefault(shape.name, []).append((shape, taken))
    return [Count(both[0][0], both[0][1], both[1][1]) for both in found.values() if len(both) == 2]


def main() -> int:
    """Print the instructions of every shape; 1 when one grows that may not."""
    found = counts()
    print(f"{'instructions at':48}{SIZES[0]:>12,}{SIZES[1]:>12,}")
    for each in found:
        print(f"{each.shape.name:48}{each.small:12,}{each.large:12,}  {each.shape.grows}".rstrip())
    linear = [each.shape.name for each in found if each.is_linear and not each.shape.grows]
    if linear:
        print(f"grows with the collection: {'; '.join(linear)}", file=sys.stderr)
    return int(bool(linear))


if __name__ == "__main__":
    sys.exit(main())
