"""JSON Schemas of Kubernetes resources for kubeconform: Kubernetes' own, and those of CRDs."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.tools import go_module

GATEWAY = ("sigs.k8s.io/gateway-api", "v1.3.0")
OPERATOR = ("github.com/prometheus-operator/prometheus-operator", "v0.85.0")
_COMPONENT = Path(__file__).parent / "component.schema.yaml"
_REFERENCE = "/api/_definitions.json#/$defs/"


def write_schemas(folder: Path, version: str, kinds: set[tuple[str, str]]) -> None:
    """Write a file `kind-group-version.json` for each of `kinds`, (kind, apiVersion)."""
    crds = dict(_crd_schemas())
    for kind, api in kinds:
        schema = crds.get((kind, api)) or _kubernetes_schema(version, kind, api)
        group, _, release = api.rpartition("/")
        parts = [kind, group.partition(".")[0], release]
        name = "-".join(part.lower() for part in parts if part)
        (folder / f"{name}.json").write_text(json.dumps(schema))


def _kubernetes_schema(version: str, kind: str, api: str) -> dict[str, Any]:
    """Return a schema that needs no other file: with the definitions that it refers to."""
    group, _, release = api.rpartition("/")
    parts = [kind.lower(), group.partition(".")[0], release]
    package = importlib.resources.files("kubernetes_validate") / "kubernetes-json-schema"
    found = package / f"v{version}.0-local-strict"
    name = "-".join(part for part in parts if part)
    text = (found / f"{name}.json").read_text()
    schema = json.loads(text.replace(_REFERENCE, "#/$defs/"))
    whole = (found / "_definitions.json").read_text()
    definitions = json.loads(whole.replace(_REFERENCE, "#/$defs/"))["$defs"]
    schema["$defs"], todo = {}, [text]
    while todo:
        for name, definition in definitions.items():
            if name not in schema["$defs"] and f'/{name}"' in todo[-1]:
                schema["$defs"][name] = definition
                todo.insert(0, json.dumps(definition))
        todo.pop()
    return {key: value for key, value in schema.items() if key != "$id"}


def _crd_schemas() -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    component: dict[str, Any] = yaml.safe_load(_COMPONENT.read_text())
    yield ("Component", "oda.tmforum.org/v1"), component
    files = [
        go_module(*OPERATOR) / f"example/prometheus-operator-crd/monitoring.coreos.com_{name}.yaml"
        for name in ("servicemonitors", "prometheusrules")
    ]
    files.append(
        go_module(*GATEWAY) / "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"
    )
    for file in files:
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            yield (
                (spec["names"]["kind"], f"{spec['group']}/{version['name']}"),
                _strict(schema, root=True),
            )


def _strict(schema: Any, *, root: bool = False) -> Any:
    """Return a CRD's schema as the API server applies it: unknown attributes are errors."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    strict = {key: _strict(value) for key, value in schema.items()}
    closed = "properties" in strict and not strict.get("x-kubernetes-preserve-unknown-fields")
    if closed and isinstance(strict["properties"], dict) and strict.get("type") == "object":
        strict.setdefault("additionalProperties", False)
    if root:
        strict["properties"]["metadata"] = {"type": "object"}
    return strict
