"""Stored documents as the JSON a client gets.

The store keeps a resource without its `href`, which depends on where the server is reached, and
with `id` first, so that it goes out as the stored bytes with the `href` put in.
"""

from __future__ import annotations

import orjson

from handlers.definition import Resource, ResourceDefinition
from storage import Document, json


def encode(resource: Resource) -> bytes:
    """Return the content to store: JSON with `id` first and no `href`."""
    first: Resource = {"id": resource["id"]}
    return json.dumps(first | {name: value for name, value in resource.items() if name != "href"})


def decode(document: Document) -> Resource:
    """Return the stored resource, `href` aside."""
    resource: Resource = json.loads(document.content)
    return resource


def href(definition: ResourceDefinition, base: str, id: str) -> str:
    """Return the absolute URL of a resource; `base` is scheme, host and any prefix."""
    return f"{base}{definition.path}/{id}"


def render(definition: ResourceDefinition, document: Document, base: str) -> bytes:
    """Return the JSON of a document."""
    url = orjson.dumps(href(definition, base, document.id))
    after_id = len(b'{"id":') + len(orjson.dumps(document.id))
    return b'%b,"href":%b%b' % (document.content[:after_id], url, document.content[after_id:])


def render_all(definition: ResourceDefinition, documents: tuple[Document, ...], base: str) -> bytes:
    """Return the JSON array of the documents."""
    return b"[%b]" % b",".join(render(definition, document, base) for document in documents)
