"""Histories: what happens to invented parties over months, described by data.

A history file names the resource that it makes (`into`). `stories` are sequences of contacts; how
many begin in a month follows from `storiesPerMonth` and `seasons`, and which from the `weight` and
`months` of each. A contact lasts some minutes of its channel's opening hours. Its resource is
`template` with the contact's own `resource` laid over it, both of templates
(`app/contract/binding/template.py`) with these values: what was chosen for the customer, the story
and the contact (`choices`: one of a list, or a text whose `#` become digits), `channel`, `start`,
`end`, `status`, and `previous`, the contact before it in the same story.

Everything follows from the seed and the day on which a history ends, ids included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from app.contract.binding.template import ABSENT, rendered
from app.contract.document.load import load
from app.contract.errors import ContractError, Problem, pointer
from app.maintenance.new_resource import NewResource, rfc3339, uuid7

_MONTH = timedelta(days=365.25 / 12)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class Into(_Part):
    """The resource that a history makes, and the version of the API that it is written in."""

    api: str
    resource: str
    version: str


class States(_Part):
    """The states of the last contact of a story, while it is recent and later."""

    done: str
    recent: tuple[str, ...] = Field(min_length=1)
    recent_days: int


class Channel(_Part):
    """How long contacts on a channel last, in minutes, and when it is open: from hour to hour."""

    name: str
    minutes: tuple[int, int]
    hours: tuple[int, int]
    days: tuple[int, ...] = Field(min_length=1)
    staffed: bool = True


class After(_Part):
    """How many hours after the contact before, at least and at most."""

    hours: tuple[int, int]


class Contact(_Part):
    """One contact of a story; `channel` is one of several, `chance` how likely it happens.

    With `needs_previous` it happens only where the contact before it did.
    """

    channel: str | tuple[str, ...]
    chance: float = 1.0
    needs_previous: bool = False
    after: After = After(hours=(0, 0))
    resource: Mapping[str, Any]


class Story(_Part):
    """A sequence of contacts about one matter."""

    title: str
    weight: float
    months: tuple[int, ...] = tuple(range(1, 13))
    choices: Mapping[str, Any] = Field(default_factory=dict)
    contacts: tuple[Contact, ...] = Field(min_length=1)


class Choices(_Part):
    """What is chosen once for a customer, for a story, and for a contact on a staffed channel."""

    customer: Mapping[str, Any]
    story: Mapping[str, Any]
    contact: Mapping[str, Any]


class History(_Part):
    """A history file."""

    title: str
    into: Into
    stories_per_month: float
    seasons: tuple[float, ...] = Field(min_length=12, max_length=12)
    states: States
    choices: Choices
    channels: Mapping[str, Channel]
    template: Mapping[str, Any]
    stories: tuple[Story, ...] = Field(min_length=1)

    def told(self, *, customers: int, months: int, seed: int, until: date) -> Iterator[NewResource]:
        """Yield the contacts of the customers, one customer after another.

        A customer of the same number has the same history, however many there are.
        """
        end = datetime.combine(until, time(), UTC)
        for number in range(customers):
            random = Random(f"{seed} {number}")  # noqa: S311 - sample data, no secrets
            yield from _Customer(self, random, end).contacts(months)


def read_histories(folder: Path) -> tuple[History, ...]:
    """Read every history file of a folder.

    Raises:
        ContractError: one is not a history file; the pointer says where.
    """
    return tuple(_read(file) for file in sorted(folder.glob("*.history.yaml")))


def _read(file: Path) -> History:
    try:
        history = History.model_validate(load(file))
    except ValidationError as error:
        problems = [
            Problem(pointer([str(part) for part in each["loc"]]), each["msg"])
            for each in error.errors()
        ]
        raise ContractError(str(file), problems) from None
    for number, story in enumerate(history.stories):
        for contact in story.contacts:
            for name in _channels_of(contact):
                if name not in history.channels:
                    place = pointer(["stories", str(number)])
                    raise ContractError(str(file), [Problem(place, f"no channel {name} is listed")])
    return history


def _channels_of(contact: Contact) -> tuple[str, ...]:
    return (contact.channel,) if isinstance(contact.channel, str) else contact.channel


class _Customer:
    """One customer, and the course of random numbers that everything about it follows from."""

    def __init__(self, history: History, random: Random, end: datetime) -> None:
        self._history = history
        self._random = random
        self._end = end
        self._chosen = self._choose(history.choices.customer)
        self._activity = 0.2 + random.gammavariate(2.0, 0.4)  # 1 on average; few have a lot to say

    def contacts(self, months: int) -> Iterator[NewResource]:
        """Yield the contacts of all months; a customer has one story at least."""
        stories = [*self._stories(months)]
        if not any(stories):
            begin = self._end - self._random.random() * months * _MONTH
            story = max(self._history.stories, key=lambda story: story.weight)
            stories.append(self._story(story, begin))
        for made in stories:
            yield from made

    def _stories(self, months: int) -> Iterator[list[NewResource]]:
        for number in range(months, 0, -1):
            first = self._end - number * _MONTH
            season = self._history.seasons[first.month - 1]
            expected = self._history.stories_per_month * season * self._activity
            for _ in range(self._count(expected)):
                begin = first + self._random.random() * _MONTH
                told = [story for story in self._history.stories if begin.month in story.months]
                if told:
                    weights = [story.weight for story in told]
                    (story,) = self._random.choices(told, weights)
                    yield self._story(story, begin)

    def _story(self, story: Story, begin: datetime) -> list[NewResource]:
        values = {
            **self._choose({**self._history.choices.story, **story.choices}),
            "customer": self._chosen,
        }
        planned = []
        ready, happens = begin, True
        for contact in story.contacts:
            happens = self._random.random() < contact.chance and (
                happens or not contact.needs_previous
            )
            ready += timedelta(hours=self._random.uniform(*contact.after.hours))
            name = self._random.choice(_channels_of(contact))
            channel = self._history.channels[name]
            start = self._opened(channel, ready)
            end = start + timedelta(minutes=self._random.uniform(*channel.minutes))
            chosen = self._choose(self._history.choices.contact) if channel.staffed else {}
            happens = happens and end < self._end
            if happens:
                shown = {"id": name, "name": channel.name}
                planned.append((contact, start, end, {"channel": shown, **chosen}))
                ready = end
        made: list[NewResource] = []
        for contact, start, end, own in planned:
            last = len(made) == len(planned) - 1
            own |= {
                "id": str(uuid7(start, self._random)),
                "start": rfc3339(start),
                "end": rfc3339(end),
                "status": self._status(end, last=last),
                "previous": {"id": made[-1].id} if made else {},
            }
            template = {**self._history.template, **contact.resource}
            body = rendered(template, {**values, **own})
            made.append(NewResource(own["id"], own["start"], {} if body is ABSENT else body))
        return made

    def _status(self, end: datetime, *, last: bool) -> str:
        states = self._history.states
        if last and self._end - end < timedelta(days=states.recent_days):
            return self._random.choice(states.recent)
        return states.done

    def _choose(self, choices: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._chosen_of(value) for name, value in choices.items()}

    def _chosen_of(self, value: Any) -> Any:
        if isinstance(value, list):
            return self._random.choice(value)
        return "".join(str(self._random.randrange(10)) if each == "#" else each for each in value)

    def _count(self, expected: float) -> int:
        """Return a number that is Poisson-distributed (Knuth's algorithm)."""
        bound, product, count = math.exp(-expected), self._random.random(), 0
        while product > bound:
            product *= self._random.random()
            count += 1
        return count

    def _opened(self, channel: Channel, moment: datetime) -> datetime:
        """Return the moment, or one in the next opening hours of a channel."""
        opens, closes = channel.hours
        within = moment.weekday() in channel.days and opens <= moment.hour < closes
        if within:
            return moment
        day = moment.date()
        if moment.hour >= opens:
            day += timedelta(days=1)
        while day.weekday() not in channel.days:
            day += timedelta(days=1)
        hours = self._random.uniform(opens, closes)
        return datetime.combine(day, time(), UTC) + timedelta(hours=hours)
