"""The options of MongoDB's connection strings."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote_plus, unquote_plus, urlsplit


def stated(uri: str) -> dict[str, str]:
    """Return the options of a connection string, by their names in lower case."""
    return {name.lower(): value for name, value in parse_qsl(urlsplit(uri).query)}


def with_options(uri: str, options: Mapping[str, object]) -> str:
    """Add the options that a connection string does not state.

    Parameters
    ----------
    uri : str
        Its own options stay, and win.
    options : mapping of str to object
        Value of each option.

    Returns
    -------
    str
    """
    known = stated(uri)
    missing = [f"{name}={quote_plus(str(value))}" for name, value in options.items() if name.lower() not in known]
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, *missing)))
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}" if missing else uri


def without_option(uri: str, name: str) -> str:
    """Remove an option, whatever the case of its name."""
    parts = urlsplit(uri)
    kept = [
        pair for pair in parts.query.split("&") if unquote_plus(pair.partition("=")[0]).lower() != name.lower()
    ]
    return parts._replace(query="&".join(kept)).geturl()
