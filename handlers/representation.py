"""Stored documents as the JSON a client gets.

The store keeps a resource without its `href`, which depends on where the server is reached, and
with `id` first, so that it goes out as the stored bytes with the `href` put in. A resource within
another has, after its id, the id of that one.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from handlers.definition import Resource, ResourceDefinition
from storage import Document, json

INSIDE = "/in"
"""Where a stored resource names the one it lies within; no path of a client leads there."""


def encode(definition: ResourceDefinition, resource: Resource) -> bytes:
    """Return the content to store: JSON with `id` first and no `href`."""
    rest = {name: value for name, value in resource.items() if name not in ("href", INSIDE)}
    return json.dumps(_head(definition, resource["id"]) | rest)


def decode(definition: ResourceDefinition, document: Document) -> Resource:
    """Return the stored resource as the definition's contract has it, `href` aside."""
    resource: Resource = json.loads(document.content)
    resource.pop(INSIDE, None)
    if document.form != definition.forms.name:
        return definition.forms.read(resource, document.form)
    return resource


def in_form(definition: ResourceDefinition, document: Document) -> Document:
    """Return the document as the definition's contract would have stored it."""
    if document.form == definition.forms.name:
        return document
    content = encode(definition, decode(definition, document))
    return replace(document, content=content, form=definition.forms.name)


def href(definition: ResourceDefinition, base: str, id: str) -> str:
    """Return the absolute URL of a resource; `base` is scheme, host and any prefix."""
    return f"{base}{definition.path}/{id}"


def render(definition: ResourceDefinition, document: Document, base: str) -> bytes:
    """Return the JSON of a document."""
    id = document.id
    if definition.parent is not None:
        id = id[len(definition.parent) + 1 :]
        after_head = len(json.dumps(_head(definition, id))) - 1
    else:
        after_head = len(b'{"id":') + len(orjson.dumps(id))
    url = orjson.dumps(href(definition, base, id))
    return b'{"id":%b,"href":%b%b' % (orjson.dumps(id), url, document.content[after_head:])


def render_all(definition: ResourceDefinition, documents: tuple[Document, ...], base: str) -> bytes:
    """Return the JSON array of the documents."""
    return b"[%b]" % b",".join(render(definition, document, base) for document in documents)


def _head(definition: ResourceDefinition, id: str) -> Resource:
    return {"id": id} if definition.parent is None else {"id": id, INSIDE: definition.parent}
