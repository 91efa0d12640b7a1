"""Say in a few words why a track is recommended, as people do: the one cause that matters most."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from segue.tracks.names import simple

MAIN_SHARE: Final = 0.15
"""A played track is the cause if it adds at least this share of what all played tracks add."""


def in_short(item: dict[str, Any], loved: Collection[str] = ()) -> str:
    """Name the main cause of a recommendation.

    Parameters
    ----------
    item : dict
        An item of a list, from `segue.recommender.serving.lists.documents`. Lists that an earlier version has
        stored lack the artists and titles of the causes; their reasons are more general.
    loved : collection of str
        Artists that the listener loves, as `segue.tracks.names.simple` spells them.

    Returns
    -------
    str
        Without a full stop, such as ``Because you love Miles Davis``.
    """
    because = item["because"]
    played = sum(max(each["adds"], 0.0) for each in because) + max(item["others"], 0.0)
    if because and played > item["popularity"]:
        causes = [each["artist"] for each in because if each.get("artist") and each["adds"] >= MAIN_SHARE * played]
        if causes:
            love = next((artist for artist in causes if simple(artist) in loved), None)
            return f"Because you love {love}" if love else f"Because you play {causes[0]}"
        return _by_sound(item) or "Listeners like you play it"
    return (_by_sound(item) if because else "") or "Many listeners play it"


def _by_sound(item: dict[str, Any]) -> str:
    title = item.get("sounds_like_title")
    return f"Sounds like “{title}”" if title else ""
