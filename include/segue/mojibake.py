"""Repair text that was certainly decoded with the wrong encoding: ``BjÃ¶rk`` becomes ``Björk``."""

from __future__ import annotations

import re

import ftfy

_LATIN = "A-Za-z"
_HIGH = "\u00a8\u00b8\u00c0-\u00ff"
"""Characters of Latin-1 whose bytes are Cyrillic letters in cp1251."""

_MIXED_WORD = re.compile(rf"[{_LATIN}][{_HIGH}]|[{_HIGH}][{_LATIN}]")
_CYRILLIC_WORD = re.compile(rf"[{_HIGH}]{{4,}}")


def repair(text: str) -> str:
    r"""Undo a wrong decoding.

    - `ftfy.fix_encoding` repairs UTF-8 that was read as Latin-1, cp1252, cp1251 and the like. It does not change
      text that may be correct.
    - Russian text in cp1251 that was read as Latin-1 consists of words with accented letters only. No language
      writes four accented letters in a row. So the text is repaired if it has such a word, and no word that mixes
      accented and other letters.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        The repaired text. The text itself if no wrong decoding is certain.

    Examples
    --------
    >>> repair("Sigur RÃ³s"), repair("Ãðóïïà êðîâè"), repair("Édith Piaf")
    ('Sigur Rós', 'Группа крови', 'Édith Piaf')
    """
    if text.isascii():
        return text
    fixed = ftfy.fix_encoding(text)
    is_cyrillic = any(len(set(word.lower())) > 2 for word in _CYRILLIC_WORD.findall(fixed))  # not "Ööööh"
    if is_cyrillic and not _MIXED_WORD.search(fixed):
        try:
            return fixed.encode("cp1252").decode("cp1251")
        except UnicodeError:
            return fixed
    return fixed
