"""Errors raised when a request exceeds a limit."""


class Overloaded(Exception):
    """The worker has as many requests at once as it takes."""


class RequestTimedOut(Exception):
    """A request took longer than a request may."""


class RateLimited(Exception):
    """A client asks too often; it may ask again in `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("too many requests; ask less often")
        self.wait = wait
