"""The inlets and outlets of Segue's tasks in their OpenLineage events.

Airflow's provider translates only assets whose scheme belongs to another provider, such as ``s3``.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.openlineage.extractors.base import BaseExtractor, OperatorLineage
from airflow.sdk import Asset
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset

from segue.connections.telemetry import NAMESPACE


class AssetExtractor(BaseExtractor):
    """List the task's assets as datasets of the namespace ``segue``, such as ``lake/features``."""

    @classmethod
    def get_operator_classnames(cls) -> list[str]:
        """Return the classes of Segue's tasks that have assets."""
        return ["SparkJobOperator", "MayBeDoneOperator", "_PythonDecoratedOperator"]

    def _execute_extraction(self) -> OperatorLineage[Dataset, Any]:
        return OperatorLineage(
            inputs=[InputDataset(NAMESPACE, _name(asset)) for asset in self.operator.inlets],
            outputs=[OutputDataset(NAMESPACE, _name(asset)) for asset in self.operator.outlets],
        )


def _name(asset: Asset) -> str:
    return asset.uri.partition("://")[2]
