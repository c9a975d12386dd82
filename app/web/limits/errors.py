"""Errors raised when a request exceeds a limit."""


class Overloaded(Exception):
    """The worker already handles its maximum number of requests."""


class RequestTimedOut(Exception):
    """A request took longer than a request may."""


class RateLimited(Exception):
    """A client sent too many requests; it may retry after `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("too many requests; ask less often")
        self.wait = wait
