"""``segue alerts``: try the addresses to which alerts go."""

from __future__ import annotations

import typer

from segue.errors import ConfigurationError
from segue.settings import get_settings

app = typer.Typer(no_args_is_help=True, help="Try the addresses to which alerts go.")


@app.callback()
def main() -> None:
    """Keep `test` a subcommand, although it is the only one."""


@app.command()
def test() -> None:
    """Send a test alert to every address of SEGUE_ALERT_URLS. If one does not take it, the exit code is 1."""
    from segue.connections import alerts

    text = "This is a test. Segue sends its alerts to this address."
    sent = alerts.send(get_settings(), "Segue: a test", text, kind="success")
    if not sent:
        raise ConfigurationError(
            "There are no addresses. Set SEGUE_ALERT_URLS to Apprise URLs, such as ntfy://ntfy.sh/my-topic, "
            "separated by spaces, in the environment. segue.toml holds no passwords."
        )
    typer.echo(f"Sent to {sent} address{'' if sent == 1 else 'es'}.")
