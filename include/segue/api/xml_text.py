"""Text that XML can hold."""

from __future__ import annotations

import re

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(value: object) -> str:
    """Return a value as text, without the characters that XML 1.0 forbids."""
    return _NOT_XML.sub("", str(value))
