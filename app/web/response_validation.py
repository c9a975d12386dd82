"""Response validation: hold what the server answers against its own contract.

A setting, on in tests and development: a response that breaks the contract is this server's
fault, never the client's, and becomes a 500.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.contract import Binding
from app.web.connexion_parts import (
    AbstractOperation,
    ResponseValidationAPI,
    ResponseValidationMiddleware,
)


class ResponseBreaksContract(Exception):
    """A handler's answer is not what the contract promises."""


class CheckedOperation:
    """One operation of the contract, whose answers are checked before they go out."""

    def __init__(self, next_app: ASGIApp, binding: Binding) -> None:
        self._next_app = next_app
        self._binding = binding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and check the answer.

        Raises:
            ResponseBreaksContract: instead of the answer.
        """
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._next_app(scope, receive, keep)
        self._check(messages, selected=b"fields=" in scope["query_string"])
        for message in messages:
            await send(message)

    def _check(self, messages: list[Message], *, selected: bool) -> None:
        status = messages[0]["status"]
        content = b"".join(message.get("body", b"") for message in messages[1:])
        validator = self._binding.responses(status)
        if validator is None or not content:
            return
        violations = validator.violations(orjson.loads(content))
        if selected:  # a client that selects attributes wants the others left out
            violations = [each for each in violations if each.rule != "is required"]
        if violations and not self._binding.requests_allow(orjson.loads(content)):
            raise ResponseBreaksContract(
                f"{self._binding.operation_id} {status}: {'; '.join(map(str, violations))}"
            )


class ContractResponseAPI(ResponseValidationAPI):
    """Makes the checked operations of one contract."""

    def __init__(self, *args: Any, bindings: Mapping[str, Binding], **kwargs: Any) -> None:
        self._bindings = bindings
        super().__init__(*args, **kwargs)

    def make_operation(self, operation: AbstractOperation) -> CheckedOperation:
        """Make the operation that connexion routes an operationId to."""
        return CheckedOperation(self.next_app, self._bindings[operation.operation_id])


class ContractResponseMiddleware(ResponseValidationMiddleware):
    """Validates responses by the contract; takes `bindings` from `add_api`."""

    api_cls = ContractResponseAPI
