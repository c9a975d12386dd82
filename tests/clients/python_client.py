"""The scenario with httpx or requests: the first argument names the library."""

from __future__ import annotations

import base64
import importlib
import json
import sys
from typing import Any

library, collection, counted, party, document = sys.argv[1:]
module = importlib.import_module(library)
client: Any = module.Client(timeout=60) if library == "httpx" else module.Session()


def step(
    name: str, url: str, method: str = "GET", body: str | None = None, match: str | None = None
) -> Any:
    headers = {} if body is None else {"Content-Type": "application/json"}
    if match is not None:
        headers["If-Match"] = match
    content = None if body is None else body.encode()
    argument = {"content" if library == "httpx" else "data": content}
    response = client.request(method, url, headers=headers, **argument)
    text = base64.b64encode(response.content).decode()
    print(json.dumps({"step": name, "status": response.status_code, "body": text}))
    return response.headers


created = step("create", collection, "POST", document)
resource, tag = created["location"], created["etag"]
step("list", collection)
step("filter", f"{collection}?relatedParty.id={party}")
step("patch", resource, "PATCH", '{"description":"first"}', tag)
step("stale patch", resource, "PATCH", '{"description":"second"}', tag)
step("too large", collection, "POST", json.dumps({"description": "x" * 3_000_000}))
step("reuse", counted)
step("reuse", counted)
