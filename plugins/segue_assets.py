"""What Segue's tasks read and write, as Airflow's assets. Airflow draws the lineage from them."""

from __future__ import annotations

from airflow.sdk import Asset

FEATURES = Asset("features", uri="x-segue://lake/features")
TRACKS = Asset("tracks", uri="x-segue://documents/tracks")
LISTENS = Asset("listens", uri="x-segue://lake/listens")
GENRE = Asset("genre", uri="x-segue://models/genre")
RECOMMENDER = Asset("recommender", uri="x-segue://models/recommender")
RECOMMENDATIONS = Asset("recommendations", uri="x-segue://documents/recommendations")
