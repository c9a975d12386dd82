"""All pages put together: the one place that knows every module of pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response
from starlette.types import ASGIApp, Scope

from app.contract import Contract
from app.pages import home, sign_in
from app.pages.console import views as console
from app.pages.documentation import views as documentation
from app.pages.documentation.library import library
from app.pages.explorer import views as explorer
from app.pages.explorer.resources import Resources
from app.pages.site import SECURITY_HEADERS, Section, SignInWays, Site
from app.pages.timeline import views as timeline
from app.pages.timeline.source import timeline_source
from app.settings import Settings
from app.web.errors import Failure
from app.web.public_url import PublicUrl
from app.web.security import Authenticators


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a server: their blueprints, the view of `/`, and errors as pages."""

    site: Site
    blueprints: Sequence[Blueprint]
    home: Callable[[], Response]

    def error_page(self, scope: Scope, failure: Failure) -> tuple[bytes, Mapping[str, str]]:
        """Return a failure as a page, and the headers that go with it."""
        page = self.site.page_of(scope)
        page.has_forms = page.has_session
        if failure.status == 401 and page.path == sign_in.PATH:
            html = sign_in.form_html(page)
        else:
            html = page.error_html(failure.status, failure.code, failure.reason, failure.message)
        return html.encode(), SECURITY_HEADERS


def open_pages(
    settings: Settings,
    contracts: Sequence[Contract],
    authenticators: Authenticators,
    public_url: PublicUrl,
    key: str,
    *,
    api: Callable[[], ASGIApp],
) -> Pages:
    """Make the pages; `key` seals sessions, `api` returns the application that pages ask."""
    site = Site(
        api=api,
        base_url=public_url.of,
        root_path=settings.root_path,
        key=key,
        sign_in=SignInWays(
            api_key=authenticators.api_keys is not None,
            provider=settings.console_client_id is not None,
            token=authenticators.tokens is not None,
        ),
    )
    reference = f"{contracts[-1].base_path}/ui/".removeprefix(settings.root_path)
    site.add_section(Section("reference", reference))
    entrance = home.Home(site, contracts)
    blueprints = [
        home.routes(site),
        home.json_routes(site),
        sign_in.routes(site, authenticators),
    ]
    if settings.console_client_id and settings.oidc_issuer and authenticators.tokens:
        from app.identity.provider import IdentityProvider  # slow to import, and rarely needed
        from app.pages import provider_sign_in

        provider = IdentityProvider(
            settings.oidc_issuer, settings.console_client_id, authenticators.scopes
        )
        blueprints.append(provider_sign_in.routes(site, provider, authenticators.tokens))
    source = timeline_source(contracts)
    if source is not None:
        blueprints.append(timeline.routes(site, source))
    resources = Resources(contracts)
    site.find_resource = resources.page_of
    blueprints.append(explorer.routes(site, resources))
    blueprints.append(console.routes(site))
    docs = library()
    if docs is not None:
        blueprints.append(documentation.routes(site, docs))
    return Pages(site, blueprints, entrance.view)
