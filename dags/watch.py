"""Look every 15 minutes at what no run would notice, and tell people.

**What.** The task reads what the overview page shows: whether corpus, models, listens and storage can be read,
whether days are quarantined, whether a store has lost something, how many dead letters there are, when the newest
listen came, and how much disk is free. It sends an alert when something is wrong that it has not told before, or
that has become more. It sends another one when that is over. Failed tasks and late runs are not its business: they
send their own alerts at once.

**When.** Every 15 minutes.

**Inputs.** `SEGUE_ALERT_URLS`: where alerts go. Without it, the alerts are only in the task's log.
`segue alerts test` tries the addresses.

**Outputs.** Alerts, and Airflow's variable `segue_told`, which holds what people know. Delete the variable to be
told everything again.

**When it fails.** An alert could not be sent; the last line of the log says to whom. The next run tries again.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Variable, dag, task

from segue.settings import get_settings
from segue_connections import mongo_database
from segue_days import by_the_clock
from segue_outcome import tell
from segue_tasks import DEFAULTS, PYTHON_TASK, TIME_LIMIT, documented, refusals_fail_at_once

TOLD = "segue_told"
NOTHING_NEW = "Nothing is new since the last alert."


@dag(
    schedule=by_the_clock("*/15 * * * *"),
    catchup=False,
    max_active_runs=1,
    # A backfill would look at the present again for each quarter of an hour, so Airflow does not offer it.
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item] # it converts them
    default_args=DEFAULTS,
    tags=["segue", "maintenance"],
    **documented(__doc__),
)
def watch() -> None:
    """Wire the task."""
    look()


# The next run comes soon, so it is the retry.
@task(**PYTHON_TASK | {"retries": 0}, execution_timeout=TIME_LIMIT)
def look(ti: Any = None) -> None:
    """Look at services, stores and listens, and send an alert about what is new."""
    from segue.connections import alerts
    from segue.overview.dags import Schedule
    from segue.overview.state import Cached
    from segue.overview.verdict import findings
    from segue.overview.watch import news

    settings = get_settings()
    state = Cached(settings, mongo_database).get()
    found = findings(state, Schedule([]))
    for finding in found:
        print(finding.sentence, flush=True)
    told = Variable.get(TOLD, default={}, deserialize_json=True)
    change = news(found, told, complete=not any(state.problems()))
    if not change.title:
        print(NOTHING_NEW, flush=True)
        tell(ti, NOTHING_NEW)
        return
    with refusals_fail_at_once():
        sent = alerts.send(settings, change.title, change.text, kind="warning" if change.worse else "success")
    Variable.set(TOLD, dict(change.told), serialize_json=True)
    told_to = f"{sent} address{'' if sent == 1 else 'es'}" if sent else "nobody: SEGUE_ALERT_URLS is empty"
    print(f"Told {told_to}:\n{change.title}\n{change.text}", flush=True)
    tell(ti, f"Told {told_to}: {change.text}")


watch()
