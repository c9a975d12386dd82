"""MongoDB's URLs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pymongo import errors as failures
from pymongo.uri_parser import parse_uri

from storage.errors import StoreUrlError

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def check_url(url: str) -> None:
    """Check the form of a MongoDB URL, without connecting to anything.

    Raises:
        StoreUrlError: it has none.
    """
    try:
        if url.startswith("mongodb+srv:"):  # more would ask the name service
            if not urlsplit(url).hostname:
                raise ValueError("it has no host")
        else:
            parse_uri(url, warn=False)
    except (failures.ConfigurationError, failures.InvalidURI, ValueError) as error:
        reason = _QUOTED.sub("…", str(error))  # with a part of the password, perhaps
        raise StoreUrlError(
            f"is not a MongoDB URL: {reason}; write mongodb://host/database"
        ) from None
