"""The baseline of `make bench`: connexion.FlaskApp as its documentation shows it.

Same contract, same store, handlers written the usual way; nothing of this project's web stack.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import connexion
import flask
import uuid_utils
from connexion.resolver import Resolver

from app.contract.document.load import load
from app.contract.document.normalise import normalise
from app.contract.document.upgrade import upgrade
from storage import Document, DocumentNotFound, Query, Window, open_store

COLLECTION = "partyInteraction/partyInteraction"

store = open_store(os.environ["TMF_STORE"])


def resource_of(document: Document) -> dict[str, Any]:
    resource: dict[str, Any] = json.loads(document.content)
    resource["href"] = f"{flask.request.base_url}/{document.id}"
    return resource


def list_resources(fields: str | None = None, offset: int = 0, limit: int = 100) -> Any:
    page = store.find(COLLECTION, Query(window=Window(offset, limit)))
    headers = {"X-Total-Count": str(page.total), "X-Result-Count": str(len(page.documents))}
    return [resource_of(document) for document in page.documents], 200, headers


def create_resource(body: dict[str, Any]) -> Any:
    id = str(uuid_utils.uuid7())
    resource = {**body, "id": id, "creationDate": datetime.now(UTC).isoformat()}
    document = store.insert(COLLECTION, id, json.dumps(resource).encode())
    resource = resource_of(document)
    return resource, 201, {"Location": resource["href"]}


def retrieve_resource(id: str, fields: str | None = None) -> Any:
    try:
        return resource_of(store.get(COLLECTION, id))
    except DocumentNotFound:
        return {"code": "404", "reason": "not found"}, 404


def unserved(**_: Any) -> Any:
    return {"code": "501", "reason": "not implemented"}, 501


def create_app() -> connexion.FlaskApp:
    handlers = {
        "listPartyInteraction": list_resources,
        "createPartyInteraction": create_resource,
        "retrievePartyInteraction": retrieve_resource,
    }
    document = normalise(upgrade(load(Path(os.environ["TMF_SPEC"]))))
    app = connexion.FlaskApp(__name__)
    app.add_api(document, resolver=Resolver(lambda name: handlers.get(name, unserved)))
    return app
