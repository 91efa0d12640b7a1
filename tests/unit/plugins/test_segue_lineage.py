"""What OpenLineage is told of a task's assets."""

from __future__ import annotations


def test_inlets_and_outlets_become_datasets():
    import segue_assets
    from segue_lineage import AssetExtractor

    class Task:
        inlets = (segue_assets.TRACKS,)
        outlets = (segue_assets.GENRE,)

    lineage = AssetExtractor(Task()).extract()
    assert [(each.namespace, each.name) for each in lineage.inputs] == [("segue", "documents/tracks")]
    assert [(each.namespace, each.name) for each in lineage.outputs] == [("segue", "models/genre")]
