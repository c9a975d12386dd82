"""Signing in at the identity provider: there, back with a code, and the token into the session."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import flask
from flask import Blueprint, Response

from app.identity.errors import NotAuthenticated
from app.identity.provider import IdentityProvider, ProviderFailed, SignInRefused, Tokens
from app.pages.home import local_path
from app.pages.sessions import Session
from app.pages.site import Page, Site
from app.tmf630.caller import Identity

if TYPE_CHECKING:
    from app.identity.tokens import TokenVerifier

_COOKIE = "tmf_sign_in"
_CALLBACK = "/sign-in/callback"
_SECONDS = 600
_EARLY = 20.0
"""How long before its end a token is renewed, in seconds."""
_SHARED_SECONDS = 60.0


def routes(site: Site, provider: IdentityProvider, tokens: TokenVerifier) -> Blueprint:
    """Return the routes to the provider and back."""
    blueprint = site.blueprint("provider_sign_in", public=True)
    site.renew = Renewal(site, provider, tokens).renewed

    @blueprint.get("/sign-in/provider")
    def leave() -> Response:
        """Answer with the way to the provider; a cookie keeps what its answer is checked with."""
        page = site.page()
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        url = provider.authorization(_redirect_uri(page), state, verifier)
        response = Response("", 303, {"Location": url, "Cache-Control": "no-store"})
        kept = {
            "state": state,
            "verifier": verifier,
            "next": local_path(flask.request.args.get("next", "")),
        }
        # Lax: the provider's page leads back here, and a strict cookie would stay behind.
        page.set_cookie(response, _COOKIE, site.sessions.seal(kept), _SECONDS, same_site="Lax")
        return response

    @blueprint.get(_CALLBACK)
    def come_back() -> Response:
        """Answer with a page that leads to where the reader wanted to go.

        A redirect would not do: it would still belong to the provider's page, and browsers would
        not send the session's cookie.
        """
        page = site.page()
        kept = site.sessions.unseal(flask.request.cookies.get(_COOKIE, ""), _SECONDS)
        stated = flask.request.args.get("state", "")
        if kept is None or not secrets.compare_digest(stated.encode(), kept["state"].encode()):
            raise SignInRefused("this browser has not begun to sign in, or too long ago")
        found = provider.redeem(_redirect_uri(page), _answer(page), stated, kept["verifier"])
        identity: Identity = site.run(tokens.identity_of(found.access))
        page.session = page.session.signed_in(
            _headers(found), identity.subject, found.refresh, found.expires
        )
        response = page.render("signed_in.html.jinja", next=local_path(kept["next"]))
        page.set_cookie(response, _COOKIE, "", same_site="Lax")
        return response

    @blueprint.errorhandler(SignInRefused)
    @blueprint.errorhandler(NotAuthenticated)
    def refused(error: Exception) -> Response:
        return site.page().error(403, "signInRefused", "", str(error))

    @blueprint.errorhandler(ProviderFailed)
    def failed(error: ProviderFailed) -> Response:
        return site.page().error(502, "providerFailed", "", str(error))

    return blueprint


class Renewal:
    """Renews the tokens of sessions shortly before they end.

    A refresh token may be good only once, and a browser asks for several things at the same time:
    what one request has got is given to those that come with the same token soon after.
    """

    def __init__(self, site: Site, provider: IdentityProvider, tokens: TokenVerifier) -> None:
        self._site = site
        self._provider = provider
        self._tokens = tokens
        self._lock = threading.Lock()
        self._recent: dict[str, tuple[float, Tokens]] = {}

    def renewed(self, session: Session) -> Session:
        """Return the session with new tokens where it needs and gets some; otherwise as it is."""
        if not session.refresh or not session.expires or time.time() < session.expires - _EARLY:
            return session
        try:
            found = self._renew(session.refresh)
            identity: Identity = self._site.run(self._tokens.identity_of(found.access))
        except ProviderFailed:
            return session  # it may answer the next request
        except (SignInRefused, NotAuthenticated):
            return replace(session, refresh="")
        if identity.subject != session.name:
            return replace(session, refresh="")
        return replace(
            session, headers=_headers(found), refresh=found.refresh, expires=found.expires
        )

    def _renew(self, refresh: str) -> Tokens:
        with self._lock:
            now = time.monotonic()
            self._recent = {
                key: kept for key, kept in self._recent.items() if now - kept[0] < _SHARED_SECONDS
            }
            if refresh not in self._recent:
                self._recent[refresh] = (now, self._provider.renew(refresh))
            return self._recent[refresh][1]


def _headers(found: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {found.access}"}


def _redirect_uri(page: Page) -> str:
    return f"{page.base_url}{page.site.root_path}{_CALLBACK}"


def _answer(page: Page) -> str:
    """Return the address that the reader came back to, as the provider wrote it."""
    return f"{_redirect_uri(page)}?{urlencode(list(flask.request.args.items(multi=True)))}"
