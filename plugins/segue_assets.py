"""What Segue's tasks read and write, as Airflow's assets. Airflow draws the lineage from them."""

from __future__ import annotations

from airflow.sdk import Asset

FEATURES = Asset("features", uri="x-segue://lake/features")
TRACKS = Asset("tracks", uri="x-segue://documents/tracks")
LISTENS = Asset("listens", uri="x-segue://lake/listens")
GENRE = Asset("genre", uri="x-segue://models/genre")
RECOMMENDER = Asset("recommender", uri="x-segue://models/recommender")
FULL_TRAINING = Asset("full_training", uri="x-segue://models/recommender/full-training")
"""Written only by the nightly training of the recommender, and not by the updates in between."""
PLAYLISTS = Asset("playlists", uri="x-segue://documents/playlists")
RECOMMENDATIONS = Asset("recommendations", uri="x-segue://documents/recommendations")
