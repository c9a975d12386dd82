"""Stored documents as the JSON a client gets.

The store keeps a resource without its `href`, which depends on where the server is reached, and
with `id` first, so that it goes out as the stored bytes with the `href` put in. A resource within
another has, after its id, the id of that one.
"""

from __future__ import annotations

import orjson

from app.tmf630.definitions import Resource, ResourceDefinition
from storage import Document, json

INSIDE = "/in"
"""Where a stored resource names the one it lies within; what clients write there is not kept."""

KEPT = "/kept"
"""Where stored content holds what only another form can; what clients write there is not kept."""

KEPT_SUFFIX = "+kept"
"""Ends the form of a document that holds such content."""

OWNER = "/owner"
"""Where a stored subscription names who registered it; what clients write there is not kept."""

PARTIES = "/parties"
"""Where a stored subscription names the parties its owner is bound to, as `OWNER` does."""

_HIDDEN = frozenset({INSIDE, OWNER, PARTIES})
_NOT_STORED = frozenset({"href", KEPT, *_HIDDEN})


def encode(definition: ResourceDefinition, resource: Resource) -> bytes:
    """Return the content to store: JSON with `id` first and no `href`."""
    return json.dumps(_content(definition, resource))


def encode_change(
    definition: ResourceDefinition, document: Document, before: Resource, after: Resource
) -> tuple[bytes, str]:
    """Return the content and form to store in place of a document that was read as `before`.

    What only another form can hold is kept in the content, and the form says so.
    """
    forms = definition.forms
    if document.form == forms.name:
        return encode(definition, after), forms.name
    kept = forms.kept(json.loads(document.content), document.form, before, after)
    if not kept:
        return encode(definition, after), forms.name
    return json.dumps(_content(definition, after) | {KEPT: kept}), forms.name + KEPT_SUFFIX


def decode(definition: ResourceDefinition, document: Document) -> Resource:
    """Return the stored resource as the definition's contract has it, `href` aside."""
    content: Resource = json.loads(document.content)
    resource = {name: value for name, value in content.items() if name not in _HIDDEN}
    if document.form != definition.forms.name:
        return definition.forms.read(resource, document.form)
    return resource


def in_form(definition: ResourceDefinition, document: Document) -> Document:
    """Return the document as the definition's contract would have stored it."""
    if document.form == definition.forms.name:
        return document
    content = encode(definition, decode(definition, document))
    return document._replace(content=content, form=definition.forms.name)


def href(definition: ResourceDefinition, base: str, id: str) -> str:
    """Return the absolute URL of a resource; `base` is scheme, host and any prefix."""
    return f"{base}{definition.path}/{id}"


def render(definition: ResourceDefinition, document: Document, base: str) -> bytes:
    """Return the JSON of a document."""
    return _json(definition, document, orjson.dumps(href(definition, base, ""))[:-1])


def render_all(definition: ResourceDefinition, documents: tuple[Document, ...], base: str) -> bytes:
    """Return the JSON array of the documents."""
    collection = orjson.dumps(href(definition, base, ""))[:-1]
    return b"[%b]" % b",".join([_json(definition, each, collection) for each in documents])


def _json(definition: ResourceDefinition, document: Document, collection: bytes) -> bytes:
    """Return the JSON of a document; `collection` begins the text of its URL."""
    id = document.id
    if definition.parent is None:
        shown = text = orjson.dumps(id)
        after_head = 6 + len(text)  # behind `{"id":` and the text
    else:
        id = id[len(definition.parent) + 1 :]
        shown = text = orjson.dumps(id)
        after_head = len(json.dumps(_head(definition, id))) - 1
    if definition.integer_ids:
        shown = orjson.dumps(definition.shown_id(id))
    rest = document.content[after_head:]
    return b'{"id":%b,"href":%b%b%b' % (shown, collection, text[1:], rest)


def _content(definition: ResourceDefinition, resource: Resource) -> Resource:
    rest = {name: value for name, value in resource.items() if name not in _NOT_STORED}
    return _head(definition, resource["id"]) | rest


def _head(definition: ResourceDefinition, id: str) -> Resource:
    return {"id": id} if definition.parent is None else {"id": id, INSIDE: definition.parent}
