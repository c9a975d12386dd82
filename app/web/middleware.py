"""The middleware: what a request passes on its way to a handler, outermost first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from connexion.lifecycle import ConnexionRequest
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.middleware.security import SecurityMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Scope

from app.contract import Contract
from app.identity.audit import Audit
from app.identity.errors import AccessMissing, NotAuthenticated
from app.identity.security import Authenticators
from app.observability.metrics import Metrics
from app.settings import Settings
from app.tmf630.caller import Access
from app.web.errors import ErrorBoundary
from app.web.limits.admission import Admission
from app.web.limits.rate_limit import Clients, FailedAttempts, RateLimit
from app.web.limits.token_bucket import LocalBuckets, Rate, SharedBuckets
from app.web.management import Management, managed_paths
from app.web.observability import Observing
from app.web.request_validation import ContractValidationMiddleware
from app.web.response_validation import ContractResponseMiddleware
from app.web.routing import ContractPaths, TidyPath
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
"""The headers of answers that scripts of other origins may read."""

Middleware: TypeAlias = Callable[..., ASGIApp]


@dataclass(frozen=True, slots=True)
class Means:
    """What the middleware works with; `missing` counts the indexes that are not there yet."""

    contracts: Sequence[Contract]
    store: Store
    authenticators: Authenticators
    metrics: Metrics
    missing: Callable[[], int]
    tracing: Tracing | None = None


def middleware_of(settings: Settings, means: Means) -> list[Middleware]:
    """Return the middleware that the settings ask for, in order."""
    paths = ContractPaths(means.contracts)
    roots = frozenset({settings.root_path, *(each.base_path for each in means.contracts)})
    managed = managed_paths(settings.root_path)
    guarded = bool(means.authenticators)
    clients = _clients(settings, means.store)
    return [
        partial(
            Observing,
            metrics=means.metrics,
            operations=operations_of(means.contracts),
            lines=settings.access_log,
            managed=managed,
            tracing=means.tracing,
        ),
        *([_cors(settings.cors_origins)] if settings.cors_origins else []),
        partial(ErrorBoundary, allowed=paths.methods),
        partial(
            Admission,
            most=settings.max_concurrent,
            seconds=settings.request_seconds,
            managed=managed,
        ),
        partial(
            Management,
            store=means.store,
            metrics=means.metrics,
            missing=means.missing,
            most_pending=settings.ready_backlog,
            port=settings.management_port,
            paths=managed,
            guard=partial(_check_operator, means.authenticators, clients),
        ),
        LifespanMiddleware,
        *([partial(Audit, what=settings.audit)] if guarded and settings.audit != "off" else []),
        partial(TidyPath, known=paths.methods, roots=roots),
        *([partial(FailedAttempts, clients=clients)] if clients and guarded else []),
        RoutingMiddleware,
        SecurityMiddleware,
        *([partial(RateLimit, clients=clients)] if clients else []),
        ContractValidationMiddleware,
        *([ContractResponseMiddleware] if settings.validate_responses else []),
    ]


def _clients(settings: Settings, store: Store) -> Clients | None:
    if not settings.rate_limit:
        return None
    rate = Rate(settings.rate_limit, settings.rate_burst)
    buckets = SharedBuckets(rate, store) if settings.rate_shared else LocalBuckets(rate)
    return Clients(buckets, forwarded=settings.trust_forwarded)


def _cors(origins: Sequence[str]) -> Middleware:
    """Return what lets the pages of some origins call the API (the Fetch standard's CORS)."""
    return partial(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"],
        allow_headers=["*"],
        expose_headers=list(_EXPOSED),
        max_age=600,
    )


def operations_of(contracts: Sequence[Contract]) -> Mapping[tuple[str, str], str]:
    """Return what each operation is called in logs and metrics: `GET /base/resource/{id}`."""
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
    authenticators: Authenticators, clients: Clients | None, scope: Scope
) -> None:
    """Make sure that an operator asks, where callers have to say who they are.

    Raises:
        AccessMissing, KeysUnavailable, NotAuthenticated
        RateLimited: instead of a refusal, once there were too many of them.
    """
    if not authenticators:
        return
    try:
        identity = await authenticators.identify(ConnexionRequest(scope))
        if identity is None:
            raise NotAuthenticated("the request has no bearer token and no API key")
        if Access.OPERATE not in identity.access:
            names = {access: scope for scope, access in authenticators.scopes.items()}
            raise AccessMissing(Access.OPERATE, names[Access.OPERATE])
    except (AccessMissing, NotAuthenticated):
        if clients is not None:
            await clients.charge(scope)
        raise
