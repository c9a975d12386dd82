"""Security requirements: the scope that each operation requires, which follows from its kind.

An overlay gives the schemes and the names of the scopes. They replace the document's own
requirements, whose schemes this server does not implement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.contract.binding.operation_kinds import Kind, kind_of
from app.contract.document import normalise
from app.contract.document.load import Json
from app.tmf630.caller import Access

SCOPES = "x-scopes"
"""The extension in which an overlay names the scope for each kind of access."""

REQUIRED = "x-required-scope"
"""The extension in which an operation names the scope it requires."""

ACCESS = "x-access"
"""Where a document says which access all of its operations ask for, whatever their shape."""

_ACCESS = {
    Kind.LIST: Access.READ,
    Kind.RETRIEVE: Access.READ,
    Kind.CREATE: Access.WRITE,
    Kind.PATCH: Access.WRITE,
    Kind.REPLACE: Access.WRITE,
    Kind.DELETE: Access.DELETE,
    Kind.SUBSCRIBE: Access.SUBSCRIBE,
    Kind.SUBSCRIPTION: Access.SUBSCRIBE,
    Kind.SUBSCRIPTIONS: Access.SUBSCRIBE,
    Kind.UNSUBSCRIBE: Access.SUBSCRIBE,
    Kind.LISTEN: Access.NOTIFY,
    Kind.OTHER: Access.OPERATE,
}


@dataclass(frozen=True, slots=True)
class Authentication:
    """How callers authenticate: tokens of `issuer`, API keys, or either."""

    issuer: str | None = None
    api_keys: bool = False

    def __bool__(self) -> bool:
        """Whether callers have to authenticate."""
        return bool(self.issuer) or self.api_keys


def secure(document: Json, authentication: Authentication) -> Json:
    """Return the document with requirements on every operation; with none at all when it is open.

    OpenAPI 3.0 lets scopes be named for OpenID Connect alone; those of an API key are as good.
    """
    components = document.get("components", {})
    schemes = components.get("securitySchemes", {}) if authentication else {}
    wanted = {
        name: scheme
        for name, scheme in schemes.items()
        if (authentication.issuer and scheme["type"] == "openIdConnect")
        or (authentication.api_keys and scheme["type"] == "apiKey")
    }
    for scheme in wanted.values():
        if scheme["type"] == "openIdConnect":
            discovery = f"{str(authentication.issuer).rstrip('/')}/.well-known/openid-configuration"
            scheme["openIdConnectUrl"] = discovery
    components.pop("securitySchemes", None)
    if wanted:
        document.setdefault("components", {})["securitySchemes"] = wanted
    document.pop("security", None)
    for path, method, operation in normalise.operations(document):
        operation.pop("security", None)
        if wanted:
            access = document.get(ACCESS) or _ACCESS[kind_of(path, method)]
            scope = document[SCOPES][access]
            operation[REQUIRED] = scope
            operation["security"] = [
                {name: [scope] if scheme["type"] == "openIdConnect" else []}
                for name, scheme in wanted.items()
            ]
    return document


def scopes_of(document: Json) -> Mapping[str, Access]:
    """Return the access that each scope of a document gives."""
    return {scope: Access(access) for access, scope in document.get(SCOPES, {}).items()}
