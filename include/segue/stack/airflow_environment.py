"""The environment that Airflow's components, and through them every task, run in."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

from pymongo.uri_parser import parse_uri

from segue.connections import kafka
from segue.settings import PROJECT_DIR, Settings
from segue.stack import secrets, spark_conf

PARALLELISM = 4


def environment(settings: Settings) -> dict[str, str]:
    """Tell Airflow and its tasks everything: their configuration is these variables and no file.

    Returns
    -------
    dict of str to str
        SEGUE_*, SPARK_*, AIRFLOW__* and the connections.
    """
    configured = {
        f"AIRFLOW__{section.upper()}__{option.upper()}": str(value)
        for section, options in _configuration(settings).items()
        for option, value in options.items()
    }
    connections = {
        f"AIRFLOW_CONN_{name}": json.dumps(value, sort_keys=True) for name, value in _connections(settings).items()
    }
    return {
        **spark_conf.environment(settings),
        **configured,
        **connections,
        "AIRFLOW_HOME": str(settings.state_dir / "airflow"),
        "PYTHONUNBUFFERED": "1",  # a job's lines appear in its task's log as they are printed
        "SPT_NOENV": "1",  # otherwise setproctitle erases the environment by which processes are found
    }


def _configuration(settings: Settings) -> dict[str, dict[str, object]]:
    """Airflow's options (see https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html)."""
    home, made = settings.state_dir / "airflow", secrets.load(settings)
    url = f"http://127.0.0.1:{settings.airflow_port}"
    return {
        "core": {
            "dags_folder": PROJECT_DIR / "dags",
            "plugins_folder": PROJECT_DIR / "plugins",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": PARALLELISM,
            "fernet_key": made.fernet_key,
            "hostname_callable": "socket.gethostname",  # needs no name server
            "execution_api_server_url": f"{url}/execution/",
            "simple_auth_manager_users": f"{secrets.USERNAME}:admin",
            "simple_auth_manager_passwords_file": secrets.passwords_file(settings),
        },
        "api": {
            "host": "127.0.0.1",
            "port": settings.airflow_port,
            "base_url": url,
            "workers": 1,
            "secret_key": made.api_secret_key,
            "instance_name": f"Segue: {settings.corpus}",
        },
        "api_auth": {"jwt_secret": made.jwt_secret},
        "database": {"sql_alchemy_conn": f"sqlite:///{home / 'airflow.db'}?timeout=30"},
        "logging": {
            "base_log_folder": home / "logs",
            "dag_processor_child_process_log_directory": home / "logs" / "dag_processor",
            "colored_console_log": False,
            "namespace_levels": "http.access=warning kafka=critical",
        },
        "dag_processor": {
            "dag_bundle_storage_path": home / "bundles",
            "parsing_processes": 1,
            "refresh_interval": 30,
            "print_stats_interval": 0,
        },
        "scheduler": {
            # Seconds until the tasks of a killed scheduler are started again.
            "orphaned_tasks_check_interval": 15,
        },
        "usage_data_collection": {"enabled": False},
    }


def _connections(settings: Settings) -> dict[str, dict[str, object]]:
    mongo = parse_uri(settings.mongo)
    return {
        "SPARK_DEFAULT": {"conn_type": "spark", "host": settings.spark_master},
        "KAFKA_DEFAULT": {"conn_type": "kafka", "extra": kafka.options(settings)},
        "MONGO_DEFAULT": {
            "conn_type": "mongo",
            "host": ",".join(f"{host}:{port}" for host, port in mongo["nodelist"]),
            "login": mongo["username"],
            "password": mongo["password"],
            "schema": settings.mongo_database,
            # As written: `parse_uri` makes seconds of milliseconds, which MongoHook hands on as milliseconds.
            "extra": dict(parse_qsl(urlsplit(settings.mongo).query)),
        },
    }
