"""Which version of each model serves, without loading MLflow, which needs 140 MB and four seconds of CPU time.

MLflow's server is asked by its REST API. If there is no server, the alias is read from MLflow's database.
"""

from __future__ import annotations

from pathlib import Path

from segue.errors import ServiceUnavailableError
from segue.settings import Settings

CHAMPION, CHALLENGER = "champion", "challenger"
TIMEOUT_S = 5.0


def read(settings: Settings, alias: str = CHAMPION) -> dict[str, str]:
    """Find the champion of each model, or its challenger.

    Parameters
    ----------
    settings : Settings
        ``mlflow_uri`` is the address of MLflow.
    alias : str, optional
        `CHAMPION` or `CHALLENGER`.

    Returns
    -------
    dict of str to str
        The number of the version, by the name of the model. Empty before the first training.

    Raises
    ------
    ServiceUnavailableError
        If MLflow's server or database does not answer.
    """
    uri = settings.mlflow_uri
    return _of_server(uri, alias) if uri.startswith("http") else _of_database(uri, alias)


def _of_server(uri: str, alias: str) -> dict[str, str]:
    import httpx

    try:
        answer = httpx.get(f"{uri.rstrip('/')}/api/2.0/mlflow/registered-models/search", timeout=TIMEOUT_S)
        models = answer.raise_for_status().json().get("registered_models", [])
    except httpx.HTTPError as error:
        raise ServiceUnavailableError(f"MLflow's server does not answer: {error}.") from error
    return {
        model["name"]: named["version"]
        for model in models
        for named in model.get("aliases", [])
        if named["alias"] == alias
    }


def _of_database(uri: str, alias: str) -> dict[str, str]:
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import DBAPIError

    file = make_url(uri).database
    if uri.startswith("sqlite:") and not (file and Path(file).is_file()):
        return {}  # SQLite would create the file
    engine = create_engine(uri)
    try:
        with engine.connect() as connection:
            if "registered_model_aliases" not in inspect(connection).get_table_names():
                return {}
            query = text("SELECT name, version FROM registered_model_aliases WHERE alias = :alias")
            return {name: str(version) for name, version in connection.execute(query, {"alias": alias})}
    except DBAPIError as error:
        raise ServiceUnavailableError(f"MLflow's database does not answer: {error.orig}.") from error
    finally:
        engine.dispose()
