"""Where Airflow sends its lineage (OpenLineage) and its metrics (StatsD), as options of Airflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from segue.settings import Settings

NAMESPACE: Final = "segue"
"""Namespace of Segue's jobs and datasets in OpenLineage."""
NO_DATA: Final = ("maintenance", "watch")
"""DAGs without lineage: they read and write no data of the corpus, and one of them runs 96 times a day."""

Options = dict[str, dict[str, object]]
"""Airflow's options by section."""


def options(settings: Settings, file: Path | None = None) -> Options:
    """Derive Airflow's options from the settings.

    Parameters
    ----------
    settings : Settings
    file : Path, optional
        Where lineage goes if the settings do not say. Default: nowhere.

    Returns
    -------
    dict of str to dict
        The sections ``openlineage`` and ``metrics``, each only if something is sent.
    """
    return _lineage(settings, file) | _metrics(settings)


def variables(settings: Settings, file: Path | None = None) -> dict[str, str]:
    """Return these options as environment variables."""
    return as_variables(options(settings, file))


def as_variables(configured: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Return Airflow's options, by section, as environment variables: ``AIRFLOW__<SECTION>__<OPTION>``."""
    return {
        f"AIRFLOW__{section.upper()}__{option.upper()}": str(value)
        for section, each in configured.items()
        for option, value in each.items()
    }


def _lineage(settings: Settings, file: Path | None) -> Options:
    transport: dict[str, Any] = {}
    if settings.lineage_transport:
        transport = json.loads(settings.lineage_transport.get_secret_value())
    elif file:
        transport = {"type": "file", "log_file_path": str(file), "append": True}
    if not transport:
        return {}
    policy: list[dict[str, Any]] = [
        {"scope": {"dag_id": "|".join(NO_DATA)}, "match_mode": "regex", "controls": {"emit": False}},
        {"scope": {}, "controls": {"include_source_code": False}},
    ]
    return {
        "openlineage": {
            "transport": json.dumps(transport, sort_keys=True),
            "namespace": NAMESPACE,
            "extractors": "segue_lineage.AssetExtractor",
            "emission_policy": json.dumps(policy),
            # A forked process would share the task's connection to its supervisor. A thread cannot damage it.
            "execute_in_thread": True,
        }
    }


def _metrics(settings: Settings) -> Options:
    if not settings.statsd_address:
        return {}
    host, _, port = settings.statsd_address.rpartition(":")
    return {
        "metrics": {
            "statsd_on": True,
            "statsd_host": host,
            "statsd_port": port,
            # Labels such as dag_id as tags. Otherwise they are parts of the names.
            "statsd_influxdb_enabled": True,
            "legacy_names_on": False,
        }
    }
