from __future__ import annotations


def test_the_lineage_of_every_task_with_assets_is_known(dags):
    from segue_lineage import AssetExtractor

    with_assets = [task for dag in dags.values() for task in dag.tasks if task.inlets or task.outlets]
    assert {"extract", "train"} <= {task.task_id for task in with_assets}
    assert {type(task).__name__ for task in with_assets} <= set(AssetExtractor.get_operator_classnames())
