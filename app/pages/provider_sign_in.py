"""Signing in at the identity provider: there, back with a code, and the token into the session."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import flask
from flask import Blueprint, Response

from app.identity.errors import NotAuthenticated
from app.identity.provider import IdentityProvider, ProviderFailed, SignInRefused
from app.pages.home import local_path
from app.pages.site import Page, Site
from app.tmf630.caller import Identity

if TYPE_CHECKING:
    from app.identity.tokens import TokenVerifier

_COOKIE = "tmf_sign_in"
_CALLBACK = "/sign-in/callback"
_SECONDS = 600


def routes(site: Site, provider: IdentityProvider, tokens: TokenVerifier) -> Blueprint:
    """Return the routes to the provider and back."""
    blueprint = site.blueprint("provider_sign_in", public=True)

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
        token = provider.redeem(_redirect_uri(page), _answer(page), stated, kept["verifier"])
        identity: Identity = site.run(tokens.identity_of(token))
        page.session = page.session.signed_in(
            {"Authorization": f"Bearer {token}"}, identity.subject
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


def _redirect_uri(page: Page) -> str:
    return f"{page.base_url}{page.site.root_path}{_CALLBACK}"


def _answer(page: Page) -> str:
    """Return the address that the reader came back to, as the provider wrote it."""
    return f"{_redirect_uri(page)}?{urlencode(list(flask.request.args.items(multi=True)))}"
