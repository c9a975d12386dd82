"""Settings: one frozen object with a field for each, its bounds and its meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.identity.algorithms import ALGORITHMS
from app.identity.api_keys import parse_entry
from app.identity.exposure import is_loopback
from app.settings.checks import check_callback_host, check_webhook_key
from app.settings.clashes import SettingsClash, clashes
from storage import StoreUrlError
from storage.store_url import check_store_url

OPENAPI_FOLDER = Path(__file__).resolve().parents[2] / "openapi"
"""The contracts, overlays and conformance suites that come with the server."""


class Settings(BaseModel):
    """Everything about the server that can be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    spec: tuple[Path, ...] = Field(
        tuple(sorted(OPENAPI_FOLDER.glob("*.yaml"))),
        description="Contracts to serve, separated by the system's path separator.",
    )
    overlays: tuple[Path, ...] = Field(
        (),
        description="Overlays of your own, files or folders of `*.overlay.yaml`, after those in"
        " `openapi/overlays`; separated as `TMF_SPEC`.",
    )
    mappings: tuple[Path, ...] = Field(
        (),
        description="Mappings of your own, `*.mapping.yaml` and `*.source.yaml`, files or folders,"
        " beside those in `openapi/mappings`, or instead of those of the same versions; separated"
        " as `TMF_SPEC`.",
    )
    profile: Literal["conformance", "strict"] = Field(
        "conformance",
        description="`conformance` accepts what TM Forum's kit sends; `strict` is the contract"
        " alone.",
    )
    unknown_types: Literal["keep", "refuse"] = Field(
        "keep",
        description="An `@type` that the contract does not list: `keep` the object with all its"
        " attributes, as TM Forum's extension pattern wants, or `refuse` it (400).",
    )
    base_path: str | None = Field(
        None, description="Path to serve under instead of the contract's (one contract only)."
    )
    root_path: str = Field("", description="Prefix before every path, a gateway's for example.")
    public_url: str | None = Field(
        None,
        description="Scheme, host and prefix that clients use, for `href`; else the request's own.",
    )
    trust_forwarded: bool = Field(
        False, description="Trust `X-Forwarded-*` headers: only behind a proxy that sets them."
    )
    store: str = Field(
        "sqlite:///data/tmf683.db",
        description="Where documents are kept: `sqlite:///file.db`, `memory:` or `mongodb://…`.",
    )
    durability: Literal["full", "normal"] = Field(
        "full",
        description="`full` waits for the disk at every write; `normal` may lose the last ones"
        " with the machine's power.",
    )
    busy_seconds: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Seconds to wait for a store that is locked or cannot be reached.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(
        0, ge=0, le=256, description="Worker processes; 0 is one a core (one with `memory:`)."
    )
    threads: int = Field(4, ge=1, le=64, description="Threads a worker runs handlers in.")
    max_body: int = Field(
        1024 * 1024,
        ge=1024,
        description="Largest request body accepted, in bytes; "
        "patches may make a resource eight times as large.",
    )
    max_headers: int = Field(
        32 * 1024, ge=1024, description="Most bytes of a request's target and headers."
    )
    header_seconds: float = Field(
        10.0, gt=0, description="Seconds a client has to send the headers of a request."
    )
    keep_alive: float = Field(
        75.0,
        gt=0,
        description="Seconds that a connection stays open between requests; longer than a proxy in"
        " front keeps its own (nginx and most load balancers: 60).",
    )
    write_seconds: float = Field(
        20.0,
        gt=0,
        description="Seconds in which a client has to read 64 KB of its response before the"
        " connection is closed.",
    )
    max_connections: int = Field(
        1000,
        ge=1,
        description="Connections that a worker keeps, as far as its file descriptors allow; idle"
        " ones make room for new ones, and then new ones get 503.",
    )
    max_connections_per_client: int = Field(
        0,
        ge=0,
        description="Connections that a worker keeps of one address; 0 is half of all, or any"
        " number with `TMF_TRUST_FORWARDED`.",
    )
    max_concurrent: int = Field(
        256,
        ge=1,
        description="Requests a worker handles at once, at most three quarters of them for one"
        " client; more get 503.",
    )
    request_seconds: float = Field(
        30.0, gt=0, description="Seconds a request may last before it is answered 503."
    )
    rate_limit: float = Field(
        0.0, ge=0, description="Requests a second that one client may make; 0 is any number."
    )
    rate_burst: int = Field(
        50, ge=1, description="Requests that one client may make at once after a pause."
    )
    rate_shared: bool = Field(
        False,
        description="Count a client's requests in the store, for all workers and servers together;"
        " else each worker counts for itself.",
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Web pages that may call the API from browsers, by origin, separated by commas;"
        " `*` is any page.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Host names that the server is known by, separated by commas. Without"
        " authentication, requests for other public names are refused (DNS rebinding).",
    )
    default_limit: int = Field(
        100, ge=1, description="Resources in a list when the request has no `limit`."
    )
    max_limit: int = Field(1000, ge=1, description="Most resources in one list.")
    max_offset: int = Field(
        1_000_000, ge=0, description="Largest `offset`; cursors go beyond it at no cost."
    )
    max_conditions: int = Field(
        200, ge=1, description="Most conditions in one query; each alternative value is one."
    )
    max_path_depth: int = Field(
        10, ge=1, description="Deepest attribute path in a query, and most terms to sort by."
    )
    max_text: int = Field(
        1000,
        ge=1,
        description="Longest value or regular expression in a query, in `filter` too, and longest"
        " path of a query patch; each of several alternative values may be so long.",
    )
    unknown_filters: Literal["match", "refuse", "ignore"] = Field(
        "match",
        description="A filter on an attribute that the contract does not have: `match` resources by"
        " it, since extensions may have it, `refuse` it (400, as `Prefer: handling=strict` does) or"
        " `ignore` it.",
    )
    query_seconds: float = Field(5.0, gt=0, description="Seconds that one query may take.")
    slow_query_seconds: float = Field(
        1.0,
        ge=0,
        description="A query that takes longer is logged, with its structure and without its"
        " values; 0 logs none.",
    )
    cursor_key: str | None = Field(
        None,
        description="Secret that signs paging cursors and seals the sessions of pages; set it where"
        " several servers share a store. Else one is made at each start.",
    )
    pages: Literal["on", "off"] = Field(
        "on",
        description="Pages for people with browsers: timeline, explorer, sign-in, errors. `off`"
        " leaves the API and its Swagger UI.",
    )
    require_if_match: bool = Field(False, description="Refuse changes without `If-Match` (428).")
    delivery: Literal["server", "off"] = Field(
        "server",
        description="Who delivers events: the `server`, in a process beside it, or nobody (`off`)"
        " unless `tmf683 deliver` runs.",
    )
    callback_allow: tuple[str, ...] = Field(
        (),
        description="Where events may be sent beside the public internet: host names (`*` is any"
        " part), addresses and networks, separated by commas.",
    )
    listener: Literal["keep", "apply"] = Field(
        "keep",
        description="Events about the API's own resources that listeners receive: `keep` them, or"
        " `apply` them to the copies here too.",
    )
    sources: tuple[Path, ...] = Field(
        (),
        description="Contracts of other APIs whose events become resources here, by"
        " `openapi/mappings/*.source.yaml`; separated as `TMF_SPEC`.",
    )
    hub_duplicate: Literal["refuse", "return"] = Field(
        "refuse",
        description="A callback registered again with the same query: `refuse` (409) or `return`"
        " the subscription there is (201).",
    )
    event_content: Literal["contract", "whole", "changes"] = Field(
        "contract",
        description="What events carry: the `whole` resource, only `changes`, or as the release of"
        " the `contract` wants (whole up to 4).",
    )
    event_log: Literal["subscribed", "all"] = Field(
        "subscribed",
        description="Events that are logged: those of APIs that have a subscription"
        " (`subscribed`), or `all`.",
    )
    event_retention_hours: float = Field(
        72.0,
        gt=0,
        description="How long events are kept; longer while an active subscription has yet to"
        " receive them. `tmf683 events list` says how many a suspended one has missed.",
    )
    event_retention_mb: int = Field(
        1024,
        ge=1,
        description="Most megabytes of events that are kept; beyond it the oldest are removed,"
        " delivered or not.",
    )
    webhook_keys: tuple[str, ...] = Field(
        (),
        description="Secrets that sign events (Standard Webhooks, `whsec_…`), separated by commas;"
        " each signs, so that a new one can come before the old one goes.",
    )
    delivery_attempts: int = Field(
        8, ge=1, le=100, description="Attempts before a delivery is parked."
    )
    delivery_wait: float = Field(
        60.0,
        gt=0,
        description="Seconds before the first repetition, at most; four times as long each time.",
    )
    delivery_timeout: float = Field(10.0, gt=0, description="Seconds a listener has to answer.")
    delivery_concurrency: int = Field(
        16, ge=1, le=1000, description="Events sent to one listener at the same time."
    )
    lease_seconds: float = Field(
        15.0,
        gt=0,
        description="Seconds after which another worker takes over from one that stopped.",
    )
    oidc_issuer: str | None = Field(
        None, description="Issuer whose bearer tokens (JWT) are accepted; its `iss`."
    )
    oidc_audience: tuple[str, ...] = Field(
        (), description="Audiences a token may be for, separated by commas; its `aud`."
    )
    jwks: str | None = Field(
        None,
        description="The issuer's keys, a JSON Web Key Set: an `https://` URL (`http://` for this"
        " machine alone) or a file. Cached, renewed, and used for a day while unreachable.",
    )
    jwt_algorithms: tuple[str, ...] = Field(
        ("RS256", "PS256", "ES256", "EdDSA"),
        description="Signatures a token may have, separated by commas; asymmetric ones only.",
    )
    clock_skew: float = Field(
        30.0,
        ge=0,
        le=300,
        description="Seconds that the clocks of issuer and server may differ.",
    )
    party_claim: str | None = Field(
        None,
        description="Claim that binds a token to parties, `party_id` for example: it then sees and"
        " changes only what they have a part in. Tokens without it are not bound.",
    )
    console_client_id: str | None = Field(
        None,
        description="Client with which readers of the pages sign in at the issuer (OpenID Connect,"
        " code with PKCE, no secret); its redirect URI is `/sign-in/callback`.",
    )
    api_keys: tuple[str, ...] = Field(
        (),
        description="API keys, `name:access+access:sha256[:party+party]` each, separated by"
        " commas; `tmf683 key` makes them.",
    )
    audit: Literal["off", "changes", "all"] = Field(
        "changes",
        description="Requests of authenticated callers in the audit log: `changes` and refusals,"
        " or `all`.",
    )
    insecure: bool = Field(
        False, description="Allow addresses other than loopback without authentication."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Lines of `json` or `text`; `auto` writes text to a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level of the messages that are logged."
    )
    access_log: bool = Field(True, description="Write a line for every request.")
    management_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port for health and metrics alone, on the same address; 0 serves them on"
        " `TMF_PORT`, metrics to operators only where callers prove who they are.",
    )
    ready_backlog: int = Field(
        0,
        ge=0,
        description="Undelivered events with which `/health/ready` says 503; 0 is any number.",
    )
    validate_responses: bool = Field(
        False, description="Validate every response against the contract: slow, for tests."
    )

    @field_validator(
        "callback_allow",
        "webhook_keys",
        "oidc_audience",
        "jwt_algorithms",
        "api_keys",
        "cors_origins",
        "allowed_hosts",
        mode="before",
    )
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("webhook_keys")
    @classmethod
    def _usable_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            check_webhook_key(key)
        return value

    @field_validator("callback_allow")
    @classmethod
    def _usable_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            check_callback_host(entry)
        return value

    @field_validator("api_keys")
    @classmethod
    def _known_api_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        digests = [parse_entry(entry)[0] for entry in value]
        if len(set(digests)) != len(digests):
            raise ValueError("an API key is listed twice; list each once")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _whole_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+", each):
                raise ValueError(
                    f"{each} is not an origin; write one as https://desk.example, or *"
                )
        return value

    @field_validator("jwt_algorithms")
    @classmethod
    def _asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(
                f"with no algorithm no token could be verified; choose of {', '.join(ALGORITHMS)}"
            )
        for name in value:
            if name not in ALGORITHMS:
                raise ValueError(f"{name} is not accepted; choose of {', '.join(ALGORITHMS)}")
        return value

    @field_validator("jwks")
    @classmethod
    def _safe_jwks(cls, value: str | None) -> str | None:
        if value and value.startswith("http://") and not is_loopback(urlsplit(value).hostname):
            raise ValueError("keys that come by http:// can be replaced on the way; use https://")
        if value and "://" not in value and not Path(value).is_file():
            raise ValueError(f"there is no file {value}; name one that exists, or an https:// URL")
        return value

    @field_validator("spec", "sources", "overlays", "mappings", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part for part in value.split(os.pathsep) if part)

    @field_validator("root_path", "base_path")
    @classmethod
    def _plain_path(cls, value: str | None) -> str | None:
        if value and (not value.startswith("/") or value.endswith("/") or "//" in value):
            raise ValueError(f"{value} must start with a slash and not end with one, as /tmf does")
        return value

    @field_validator("public_url")
    @classmethod
    def _absolute_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value} must start with http:// or https://")
        return value.rstrip("/") if value else value

    @field_validator("store")
    @classmethod
    def _usable_store(cls, value: str) -> str:
        try:
            check_store_url(value)
        except StoreUrlError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _without_clashes(self, info: ValidationInfo) -> Settings:
        """Refuse clashes; a list as context gets their sentences instead."""
        found = list(clashes(self))
        if isinstance(info.context, list):
            info.context.extend(found)
        elif found:
            raise SettingsClash(found)
        return self

    def with_origins(self, origins: Mapping[str, str]) -> Settings:
        """Return the same settings with where each of them comes from."""
        settings = self.model_copy()
        settings._origins = dict(origins)
        return settings

    def origin_of(self, name: str) -> str:
        """Return where a setting comes from: `default`, `environment`, a file's name, …."""
        return self._origins.get(name, "argument" if name in self.model_fields_set else "default")
