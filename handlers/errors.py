"""What a handler can refuse, in terms of the API."""


class BadQuery(Exception):
    """A query parameter has no meaning; `parameter` names it, the message says the rule."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class AttributesNotPatchable(Exception):
    """A patch touches attributes that clients may not change."""

    def __init__(self, attributes: tuple[str, ...]) -> None:
        super().__init__(f"not patchable: {', '.join(attributes)}")
        self.attributes = attributes


class InvalidResource(Exception):
    """A change would leave the resource in breach of its contract; the message says where."""


class UpdateContended(Exception):
    """The resource kept changing under a patch until the attempts were used up."""


class NotServed(Exception):
    """The contract declares the operation, and this server has no handler for its shape."""
