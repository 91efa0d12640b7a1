"""The environment that Airflow's components, and through them every task, run in."""

from __future__ import annotations

from segue import private
from segue.connections import for_airflow, telemetry
from segue.settings import PROJECT_DIR, Settings
from segue.stack import secrets, spark_conf

PARALLELISM = 4
LINEAGE_FILE = "openlineage.log"
"""Name of the file of OpenLineage events. It is rotated like the logs of the services beside it."""

TOKEN_LIFETIME_S = 5 * 24 * 60 * 60
"""Lifetime of the token by which Airflow knows a running task.

In the last fifth of this lifetime, a heartbeat of the task returns a new token. So a task may be suspended for at
least a fifth of the lifetime, for example while a laptop is asleep. This is one day. By default, a token lives for
10 minutes. A task whose token has expired is ended after three heartbeats.
"""

AWAY_S = 30 * 60
"""How long a task waits for the API server, and the scheduler for a task's heartbeat.

Either may be suspended, or be started again by hand. By default, the scheduler waits for five minutes, and a task
for half a minute: an API server that was away for ten minutes then ended all runs, retries included. A task whose
supervisor was killed is retried only after this time.
"""
RETRY_WAIT_S = 15

QUIET = " ".join(
    f"{logger}=warning"
    for logger in (
        "http.access",
        "airflow.providers.openlineage",  # it logs every event that it has sent
        # It logs what a function has returned, after the sentence with which the function ends.
        "airflow.task.operators.airflow.providers.standard",
    )
)
"""Levels of Airflow's own loggers. Those of other packages are set in plugins/segue_tasks.py."""


def environment(settings: Settings) -> dict[str, str]:
    """Return the whole configuration of Airflow and its tasks. They read no configuration file.

    Returns
    -------
    dict of str to str
        SEGUE_*, SPARK_*, AIRFLOW__* and the connections.
    """
    sent = telemetry.options(settings, file=settings.state_dir / "logs" / LINEAGE_FILE)
    return {
        **spark_conf.environment(settings),
        **telemetry.as_variables(_configuration(settings) | sent),
        **for_airflow.variables(settings),
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
            "simple_auth_manager_users": f"{secrets.USERNAME}:admin,{secrets.VIEWER}:viewer",
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
        "execution_api": {"jwt_expiration_time": TOKEN_LIFETIME_S},
        "database": {"sql_alchemy_conn": settings.airflow_uri},
        "logging": {
            "base_log_folder": home / "logs",
            "dag_processor_child_process_log_directory": home / "logs" / "dag_processor",
            "colored_console_log": False,
            # By default, every user may read the logs.
            "file_task_handler_new_folder_permissions": f"{0o777 & ~private.UMASK:#o}",
            "file_task_handler_new_file_permissions": f"{0o666 & ~private.UMASK:#o}",
            "namespace_levels": QUIET,
        },
        "dag_processor": {
            "dag_bundle_storage_path": home / "bundles",
            "parsing_processes": 1,
            "refresh_interval": 30,
            # By default, each DAG file is parsed again every 30 s. A file that has changed is parsed anyway.
            "min_file_process_interval": 300,
            "print_stats_interval": 0,
        },
        "scheduler": {
            # Seconds until the tasks of a killed scheduler are started again.
            "orphaned_tasks_check_interval": 15,
            "task_instance_heartbeat_timeout": AWAY_S,
            "task_queued_timeout": AWAY_S,
        },
        "workers": {
            # Each wait is random, from one second up to the longest one.
            "execution_api_retry_wait_max": RETRY_WAIT_S,
            "execution_api_retries": AWAY_S // RETRY_WAIT_S,
        },
        "usage_data_collection": {"enabled": False},
    }
