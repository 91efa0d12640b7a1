"""What OpenSSL says of a server whose TLS cannot be used. The drivers of Kafka and MongoDB pass it on as text."""

from __future__ import annotations

import re
from typing import Final

_DISTRUST: Final = re.compile(r"certificate verify failed: (.+?)\.? \(_ssl")
_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF", "RECORD_LAYER_FAILURE")


def distrust(said: str) -> str | None:
    """Return why a server's certificate is not trusted, or None if that is not what is said.

    The reason contains ``match`` if only the name of the server is wrong.
    """
    found = _DISTRUST.search(said)
    return found[1] if found else None


def codes(said: str) -> str:
    """Return the text as OpenSSL writes its codes: in upper case, with underscores."""
    return said.upper().replace(" ", "_")


def speaks_no_tls(said: str) -> bool:
    """Return whether it is said that the server does not speak TLS."""
    return any(code in codes(said) for code in _NO_TLS)
