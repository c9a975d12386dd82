"""Operations that the contract declares and this server does not implement (501)."""

from __future__ import annotations

from typing import NoReturn

from app.tmf630.errors import NotServed
from handlers.request_context import RequestContext


class NotImplementedHandler:
    """Answers 501, with the reason that `tmf683 check` lists for the operation."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def refuse(self, _request: RequestContext, *_path: str) -> NoReturn:
        """Raise.

        Raises:
            NotServed: always.
        """
        raise NotServed(self._reason)
