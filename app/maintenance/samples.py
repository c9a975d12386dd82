"""Samples of any resource of a contract, from its schemas and examples, chosen by a seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from app.contract.document.examples import bodies_of, examples_of
from app.contract.schema.sample import Values, sample
from app.contract.schema.schemas import body_schema, element_of
from app.maintenance.new_resource import NewResource, integer_id, rfc3339, uuid7
from app.maintenance.seed import SeedError, Target
from app.tmf630.definitions import Resource

_DAYS = 365.25 / 12
_KINDS = ("Basic", "Extended", "Family", "Mobile", "Northern", "Prepaid", "Premium", "Regional")
_THINGS = ("bundle", "case", "fibre line", "handset", "plan", "request", "router", "service")


def samples(
    target: Target, *, count: int, months: int, seed: int, until: date
) -> Iterator[NewResource]:
    """Yield resources that the contract lets clients create.

    A sample has the arrays and objects of an example, where the contract has examples, and values
    of its own where the schema leaves a choice.

    Raises:
        SeedError: the contract refuses everything that its schemas seem to allow.
    """
    random = Random(f"{seed} {target.path}")  # noqa: S311 - sample data, no secrets
    end = datetime.combine(until, time(), UTC)
    examples = bodies_of(examples_of(target.document, target.path, "post"))
    for number in range(count):
        moment = end - timedelta(days=random.random() * months * _DAYS)
        example = examples[number % len(examples)] if examples else {}
        body = _body(target, random, moment, example)
        make = integer_id if target.definition.integer_ids else uuid7
        id = str(make(moment, random))
        if "id" in body:  # the contract lets clients choose it
            body |= {"id": id}
        yield NewResource(id, rfc3339(moment), body)


class _RandomValues(Values):
    """Values chosen at random; instants lie in the days after a moment."""

    def __init__(self, random: Random, moment: datetime) -> None:
        super().__init__(f"{random.choice(_KINDS)} {random.choice(_THINGS)}")
        self._random = random
        self._moment = moment

    def one_of(self, options: Sequence[Any]) -> Any:
        return self._random.choice(options)

    def text(self, format: str) -> str:
        moment = self._moment + timedelta(days=self._random.random() * 14)
        match format:
            case "":
                return f"{self._random.choice(_KINDS)} {self._random.choice(_THINGS)}"
            case "date-time":
                return rfc3339(moment)
            case "date":
                return moment.date().isoformat()
        return super().text(format)

    def number(self, least: float, most: float = math.inf) -> float:
        return min(round(least + self._random.uniform(0, min(100, most - least)), 2), most)

    def integer(self, least: int, most: float = math.inf) -> int:
        return least + self._random.randrange(int(min(100, max(1, most - least + 1))))

    def boolean(self) -> bool:
        return self._random.random() < 0.5


def _body(target: Target, random: Random, moment: datetime, example: Resource) -> Resource:
    """Return the liveliest body that the contract accepts."""
    operation = target.document["paths"][target.path]["post"]
    schema = element_of(target.document, body_schema(operation) or {})
    lively = sample(target.document, schema, values=_RandomValues(random, moment))
    nested = {name: value for name, value in example.items() if isinstance(value, list | dict)}
    plain = sample(target.document, schema)
    for body in ({**lively, **nested}, lively, example, plain):
        if body and not target.violations(body):
            return body
    raise SeedError(f"no sample of {target.name} fits its contract: {target.violations(plain)[0]}")
