"""Check: validate stored documents against a contract, without changing them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.contract import Contract
from app.maintenance.collections import plain, sources_of
from app.maintenance.embedded import OUTSIDE
from app.tmf630.errors import InvalidResource
from app.tmf630.representation import KEPT, decode
from storage import Store, json

_EXAMPLES = 3
_POSITION = re.compile(r"/\d+(?=/|\s|$)")


@dataclass(slots=True)
class Finding:
    """The number of documents that share a finding, and the ids of a few of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, id: str) -> None:
        """Count one more document."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(id)


@dataclass(slots=True)
class Findings:
    """What a check found in one collection.

    `passed` documents are valid; `translated` ones were read through a mapping. `broken` groups
    documents by the rule they break, with array positions written as `*`. `aside` groups them by
    an attribute that the contract has no place for; a change keeps it beside the document.
    """

    collection: str
    documents: int = 0
    passed: int = 0
    translated: int = 0
    broken: dict[str, Finding] = field(default_factory=dict)
    aside: dict[str, Finding] = field(default_factory=dict)


def check_documents(
    contract: Contract,
    store: Store,
    progress: Callable[[], object] = lambda: None,
    *,
    other_names: Sequence[str] = (),
) -> list[Findings]:
    """Check every document of the contract's resources; `progress` is called after each.

    `other_names` are what the API was called when documents were stored; see `sources_of`.
    """
    found = []
    for source in sources_of(contract, other_names):
        findings = Findings(source.collection)
        definition = source.definition
        for stored in source.documents(store):
            document = plain(definition, stored, source)
            findings.documents += 1
            resource = decode(definition, document)
            try:
                definition.check(resource)
                if definition.embedded_in is not None:
                    raise InvalidResource([OUTSIDE])
                findings.passed += 1
            except InvalidResource as error:
                for rule in {_POSITION.sub("/*", each) for each in error.rules}:
                    findings.broken.setdefault(rule, Finding()).add(document.id)
            if document.form != definition.forms.name:
                findings.translated += 1
                original = json.loads(document.content)
                kept = definition.forms.kept(original, document.form, resource, resource)
                for name in {name for form in kept.values() for name in form} - {KEPT}:
                    findings.aside.setdefault(name, Finding()).add(document.id)
            progress()
        if findings.documents:
            found.append(findings)
    return found
