"""Limits of requests and listens. They equal ListenBrainz's limits, so its clients respect them already."""

from __future__ import annotations

MAX_LISTEN_BYTES = 10_240
"""Largest size of one listen. The size of a listen is its share of the request's body."""

MAX_LISTENS_PER_REQUEST = 1_000

MAX_BODY_BYTES = MAX_LISTEN_BYTES * MAX_LISTENS_PER_REQUEST

MAX_TAGS_PER_LISTEN = 50

MAX_TAG_LENGTH = 64

MAX_DURATION_S = 24 * 24 * 60 * 60
"""Longest duration of a track: 24 days."""

MIN_LISTENED_AT = 1_033_430_400
"""2002-10-01 00:00:00 UTC, in seconds since 1970. Nobody scrobbled before."""

MAX_AHEAD_S = 24 * 60 * 60
"""How far ahead a player's clock may be. It covers every wrong time zone."""

DEFAULT_ITEMS_PER_GET = 25

MAX_ITEMS_PER_GET = 1_000

PLAYING_NOW_S = 10 * 60
"""How long a track of unknown duration counts as playing now."""

BODY_TIMEOUT_S = 30
"""How long a client may take to send the body of a request."""
