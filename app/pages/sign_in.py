"""Sign-in with an API key: the reader's session holds the credentials from then on."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import flask
from flask import Blueprint, Response

from app.identity.errors import NotAuthenticated
from app.pages.home import local_path
from app.pages.sessions import Session
from app.pages.site import Page, Site
from app.web.security import KEY_HEADER, Authenticators

PATH = "/sign-in"
TEMPLATE = "sign_in.html.jinja"


def routes(site: Site, authenticators: Authenticators) -> Blueprint:
    """Return the routes of signing in and out."""
    blueprint = site.blueprint("sign_in", public=True)

    @blueprint.get(PATH)
    def form() -> Response:
        next_ = local_path(flask.request.args.get("next", ""))
        return site.page().render(TEMPLATE, next=next_, failed=False)

    @blueprint.post(PATH)
    def sign_in() -> Response:
        page = site.page()
        key = flask.request.form.get("key", "").strip()
        if authenticators.api_keys is None:
            raise NotAuthenticated("API keys are not accepted here")
        # What this raises becomes the form again, after the limit on failed attempts has seen it.
        identity = authenticators.api_keys.identity_of(key)
        page.session = page.session.signed_in({KEY_HEADER: key}, identity.subject)
        return page.redirect(local_path(flask.request.args.get("next", "")))

    @blueprint.post("/sign-out")
    def sign_out() -> Response:
        page = site.page()
        page.session = Session()
        return page.redirect("/")

    return blueprint


def form_html(page: Page) -> str:
    """Return the form again, for a reader whose key is not known."""
    stated = parse_qs(urlsplit(page.address).query).get("next", [""])
    return page.html(TEMPLATE, next=local_path(stated[0]), failed=True)
