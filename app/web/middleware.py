"""The middleware that a request passes on its way to a handler, outermost first."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Scope

from app.contract import Contract
from app.contract.document.responses import integers_of_errors
from app.identity.errors import AccessMissing, NoCredentials, NotAuthenticated
from app.observability.access_log import AccessLog
from app.observability.metrics import Metrics
from app.settings import Settings
from app.tmf630.caller import Access
from app.web.audit import Audit
from app.web.browser_guard import BrowserGuard
from app.web.connexion_parts import (
    ConnexionRequest,
    LifespanMiddleware,
    OperationRouting,
    SecurityMiddleware,
)
from app.web.errors import ErrorBoundary, ErrorPage
from app.web.health import Health
from app.web.limits.admission import RequestDeadline
from app.web.limits.client import ClientNames
from app.web.limits.rate_limit import FailedAttempts, RateLimit, RateLimiter
from app.web.limits.token_bucket import LocalBuckets, Rate, SharedBuckets
from app.web.management import Management, managed_paths
from app.web.request_observability import RequestObservability
from app.web.request_validation import ContractValidationMiddleware
from app.web.response_validation import ContractResponseMiddleware
from app.web.routing import ContractPaths, PathNormalization
from app.web.security import Authenticators
from storage import Store

if TYPE_CHECKING:
    from app.observability.tracing import Tracing

_EXPOSED = (
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "X-Request-ID",
    "X-Result-Count",
    "X-Total-Count",
)
"""The response headers that scripts of other origins may read."""

Middleware: TypeAlias = Callable[..., ASGIApp]


@dataclass(frozen=True, slots=True)
class MiddlewareResources:
    """What the middleware works with."""

    contracts: Sequence[Contract]
    store: Store
    authenticators: Authenticators
    metrics: Metrics
    health: Health
    clients: ClientNames
    access_log: AccessLog | None = None
    tracing: Tracing | None = None
    error_page: ErrorPage | None = None


def middleware_of(settings: Settings, resources: MiddlewareResources) -> list[Middleware]:
    """Return the middleware that the settings ask for, in order."""
    paths = ContractPaths(resources.contracts)
    roots = frozenset({settings.root_path, *(each.base_path for each in resources.contracts)})
    managed = managed_paths(settings.root_path)
    authenticated = bool(resources.authenticators)
    limiter = _limiter(settings, resources)
    return [
        partial(
            RequestObservability,
            metrics=resources.metrics,
            operations=operations_of(resources.contracts),
            access_log=resources.access_log,
            managed=managed,
            tracing=resources.tracing,
        ),
        *([_cors(settings.cors_origins)] if settings.cors_origins else []),
        partial(
            ErrorBoundary,
            allowed=_allowed(paths, managed),
            page=resources.error_page,
            integers={
                each.base_path: integers
                for each in resources.contracts
                if (integers := integers_of_errors(each.document))
            },
        ),
        partial(RequestDeadline, seconds=settings.request_seconds, managed=managed),
        partial(
            Management,
            health=resources.health,
            port=settings.management_port,
            paths=managed,
            guard=partial(_check_operator, resources.authenticators, limiter),
        ),
        LifespanMiddleware,
        *([] if authenticated else [_browser_guard(settings)]),
        *(
            [partial(Audit, what=settings.audit)]
            if authenticated and settings.audit != "off"
            else []
        ),
        partial(PathNormalization, known=paths.methods, roots=roots),
        *([partial(FailedAttempts, limiter=limiter)] if limiter and authenticated else []),
        OperationRouting,
        SecurityMiddleware,
        *([partial(RateLimit, limiter=limiter)] if limiter else []),
        ContractValidationMiddleware,
        *([ContractResponseMiddleware] if settings.validate_responses else []),
    ]


def _allowed(paths: ContractPaths, managed: Container[str]) -> Callable[[str], frozenset[str]]:
    """Return the methods that a path takes, for `Allow`."""
    return lambda path: frozenset({"GET", "HEAD"}) if path in managed else paths.methods(path)


def _browser_guard(settings: Settings) -> Middleware:
    public = urlsplit(settings.public_url or "").hostname
    names = [*settings.allowed_hosts, settings.host, *([public] if public else [])]
    exposed = settings.insecure or settings.trust_forwarded
    return partial(
        BrowserGuard,
        hosts=names,
        origins=frozenset(settings.cors_origins),
        check_host=bool(settings.allowed_hosts) or not exposed,
    )


def _limiter(settings: Settings, resources: MiddlewareResources) -> RateLimiter | None:
    if not settings.rate_limit:
        return None
    rate = Rate(settings.rate_limit, settings.rate_burst)
    shared = settings.rate_shared
    buckets = SharedBuckets(rate, resources.store) if shared else LocalBuckets(rate)
    return RateLimiter(buckets, resources.clients)


def _cors(origins: Sequence[str]) -> Middleware:
    """Return the middleware that lets pages of some origins call the API (CORS)."""
    return partial(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=list(_EXPOSED),
        max_age=600,
    )


def operations_of(contracts: Sequence[Contract]) -> Mapping[tuple[str, str | None], str]:
    """Return the name of each operation in logs and metrics: `GET /base/resource/{id}`."""
    return {
        (
            contract.base_path,
            operation["operationId"],
        ): f"{method.upper()} {contract.base_path}{path}"
        for contract in contracts
        for path, item in contract.document["paths"].items()
        for method, operation in item.items()
    }


async def _check_operator(
    authenticators: Authenticators, limiter: RateLimiter | None, scope: Scope
) -> None:
    """Check that the caller may read the metrics, where callers authenticate.

    Raises:
        AccessMissing, KeysUnavailable, NotAuthenticated
        RateLimited: in place of a refusal, after too many of them.
    """
    if not authenticators:
        return
    try:
        identity = await authenticators.identify(ConnexionRequest(scope))
        if identity is None:
            raise NoCredentials
        if Access.OPERATE not in identity.access:
            names = {access: scope for scope, access in authenticators.scopes.items()}
            raise AccessMissing(Access.OPERATE, names[Access.OPERATE])
    except (AccessMissing, NotAuthenticated):
        if limiter is not None:
            await limiter.charge(scope)
        raise
