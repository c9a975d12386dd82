"""A conformance suite: requests in their order, and what the answers must hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from app.contract.errors import Problem, pointer

PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")
"""`{{variable}}` or `{{creation.attribute}}` in a target."""

_EXACT = ConfigDict(extra="forbid")


class SuiteError(Exception):
    """A suite cannot be run; `problems` are every reason found."""

    def __init__(self, file: Path, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, config=_EXACT)
class Attributes:
    """What is asserted of every resource returned.

    `mandatory` together make one assertion, each of `present` and of `held` makes one of its own.
    Dots in the first two lead into objects and into every element of arrays; `held` are
    attributes with text values, found in the raw body and compared with what was created.
    """

    mandatory: tuple[str, ...]
    present: tuple[str, ...]
    held: tuple[str, ...]


@dataclass(frozen=True, slots=True, config=_EXACT)
class Expectation:
    """What is asserted of one answer; by default nothing.

    `returns` says whether the body is a resource or an array of them; `finds` names creations
    that must be among these with the values they were created with; `filters` is the attribute
    the request filters on, which every resource returned must then hold alike.
    """

    status: int | None = None
    returns: Literal["item", "list"] | None = None
    finds: tuple[str, ...] = ()
    filters: str | None = None


@dataclass(frozen=True, slots=True, config=_EXACT)
class Request:
    """One request; `target` is path and query after the API's base URL, with placeholders.

    `creates` names the resource that the answer holds for the requests that follow. `minimal`
    is the body that carries no more than the API makes mandatory, where it is another.
    """

    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    target: str
    creates: str | None = None
    body: dict[str, JsonValue] | None = None
    minimal: dict[str, JsonValue] | None = None
    expect: Expectation = field(default_factory=Expectation)

    @property
    def label(self) -> str:
        """Method and target, as reports name the request."""
        return f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True, config=_EXACT)
class Suite:
    """A suite, ready to be run; `variables` are values for placeholders."""

    title: str
    attributes: Attributes
    requests: tuple[Request, ...]
    variables: dict[str, str] = field(default_factory=dict)


def load_suite(file: Path) -> Suite:
    """Read a suite from YAML or JSON.

    Raises:
        SuiteError: it cannot be read or makes no sense; pointers and rules say where.
    """
    document = _read(file)
    try:
        suite = TypeAdapter(Suite).validate_python(document)
    except ValidationError as error:
        problems = [Problem(pointer(each["loc"]), each["msg"]) for each in error.errors()]
        raise SuiteError(file, problems) from None
    problems = list(_contradictions(suite))
    if problems:
        raise SuiteError(file, problems)
    return suite


def _read(file: Path) -> object:
    try:
        return yaml.safe_load(file.read_text("utf-8-sig"))
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        reason = "is not UTF-8 text"
    except yaml.YAMLError as error:
        reason = f"is not YAML: {' '.join(str(error).split())}"
    raise SuiteError(file, [Problem("", reason)])


def _contradictions(suite: Suite) -> Iterator[Problem]:
    """Yield what types cannot tell: names that stand for nothing when they are used."""
    created: set[str] = set()
    if not suite.requests:
        yield Problem("/requests", "there is none")
    for position, request in enumerate(suite.requests):
        at = f"/requests/{position}"
        if not request.target.startswith("/"):
            yield Problem(f"{at}/target", "must start with a slash")
        for name in PLACEHOLDER.findall(request.target):
            creation, dot, _ = name.partition(".")
            if name not in suite.variables and not (dot and creation in created):
                yield Problem(f"{at}/target", f"{{{{{name}}}}} is unknown at this point")
        for name in request.expect.finds:
            if name not in created:
                yield Problem(f"{at}/expect/finds", f"{name} is not created before")
        filtered = request.expect.filters
        if filtered is not None and filtered not in suite.attributes.held:
            yield Problem(f"{at}/expect/filters", f"{filtered} is not among the attributes held")
        if request.expect.returns is None and (request.expect.finds or filtered):
            yield Problem(f"{at}/expect", "finds and filters need returns")
        if request.expect.returns == "item" and filtered:
            yield Problem(f"{at}/expect/filters", "only a list is filtered")
        if request.creates is not None:
            if request.expect.returns != "item":
                yield Problem(f"{at}/creates", "the answer must be expected to return an item")
            created.add(request.creates)
