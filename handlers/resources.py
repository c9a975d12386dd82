"""The five operations on a resource collection."""

from __future__ import annotations

from typing import Protocol

from flask import Response

from handlers import filtering, lifecycle, patching, request, selection
from handlers.definition import ResourceDefinition
from handlers.errors import UpdateContended
from handlers.representation import decode, encode, href, render, render_all
from handlers.response import json_response, no_content
from storage import Query, Store, VersionConflict, Window

PATCH_ATTEMPTS = 20
"""How often a patch starts again because another change came between its read and its write."""


class BaseUrl(Protocol):
    """Says under which URL, without trailing slash, the current client reaches the server."""

    def __call__(self) -> str:
        """Return scheme, host and prefix."""


class ResourceHandlers:
    """List, create, retrieve, patch and delete, for one resource definition on one store."""

    def __init__(
        self,
        definition: ResourceDefinition,
        store: Store,
        *,
        base_url: BaseUrl,
        default_limit: int,
        maximum_limit: int,
    ) -> None:
        self._definition = definition
        self._store = store
        self._base_url = base_url
        self._default_limit = default_limit
        self._maximum_limit = maximum_limit

    def list(self) -> Response:
        """Answer 200 with the matching resources, newest first unless `sort` says otherwise.

        A `limit` above the maximum is cut to it. `X-Total-Count` counts all that match,
        `X-Result-Count` those in this answer (TMF630 part 1, pagination).
        """
        asked = request.current()
        limit = asked.parameters.get("limit", self._default_limit)
        page = self._store.find(
            self._definition.collection,
            Query(
                where=filtering.condition(self._definition, asked.query),
                sort=filtering.sort_keys(asked.values("sort")),
                window=Window(asked.parameters.get("offset", 0), min(limit, self._maximum_limit)),
            ),
        )
        fields = selection.parse(asked.values("fields"), self._definition.identity)
        return json_response(
            render_all(self._definition, page.documents, self._base_url(), fields),
            headers={
                "X-Total-Count": str(page.total),
                "X-Result-Count": str(len(page.documents)),
            },
        )

    def create(self) -> Response:
        """Answer 201 with the new resource and its `Location`.

        Raises:
            InvalidResource: the body breaks a rule that only the whole resource shows.
        """
        asked = request.current()
        resource = lifecycle.created(self._definition, asked.body)
        self._definition.check(resource)
        document = self._store.insert(self._definition.collection, resource["id"], encode(resource))
        base = self._base_url()
        fields = selection.parse(asked.values("fields"), self._definition.identity)
        return json_response(
            render(self._definition, document, base, fields),
            status=201,
            headers={"Location": href(self._definition, base, document.id)},
        )

    def retrieve(self, id: str) -> Response:
        """Answer 200 with the resource.

        Raises:
            DocumentNotFound: there is none of that id.
        """
        fields = selection.parse(request.current().values("fields"), self._definition.identity)
        document = self._store.get(self._definition.collection, id)
        return json_response(render(self._definition, document, self._base_url(), fields))

    def patch(self, id: str) -> Response:
        """Answer 200 with the resource as a merge patch leaves it.

        The patch is applied to the resource as it stands at the moment of writing: when another
        change comes between, it is applied again to the newer resource.

        Raises:
            AttributesNotPatchable: the patch names attributes that clients may not change.
            DocumentNotFound: there is none of that id.
            InvalidResource: the result would break the contract.
            UpdateContended: the resource kept changing.
        """
        asked = request.current()
        patching.refuse_frozen(self._definition, asked.body)
        for _ in range(PATCH_ATTEMPTS):
            document = self._store.get(self._definition.collection, id)
            before = decode(document)
            after = patching.merge(before, asked.body)
            after = lifecycle.changed(self._definition, before, after)
            self._definition.check(after)
            try:
                if after != before:
                    document = self._store.replace(
                        self._definition.collection, id, encode(after), version=document.version
                    )
            except VersionConflict:
                continue
            fields = selection.parse(asked.values("fields"), self._definition.identity)
            return json_response(render(self._definition, document, self._base_url(), fields))
        raise UpdateContended(f"{id} kept changing while it was being updated")

    def delete(self, id: str) -> Response:
        """Answer 204; the resource is gone.

        Raises:
            DocumentNotFound: there is none of that id.
        """
        self._store.delete(self._definition.collection, id)
        return no_content()
