from __future__ import annotations

import pytest
from tests.support.alerts import Webhook, mail_server
from typer.testing import CliRunner

from segue.cli import app
from segue.connections import alerts
from segue.errors import ConfigurationError, ServiceUnavailableError
from segue.settings import Settings, get_settings
from segue.stack import ports


@pytest.fixture
def port():
    return ports.find_free(1)[0]


def test_one_alert_reaches_a_webhook_and_a_mailbox(port):
    webhook = Webhook()
    with webhook.listening(port), mail_server() as (smtp, mails):
        urls = f"json://127.0.0.1:{port}/hook mailto://127.0.0.1:{smtp}?from=segue@example.org&to=ann@example.org"
        sent = alerts.send(Settings(alert_urls=urls), "Segue: Кино", "The disk is almost full.", kind="failure")
    assert sent == 2
    [posted], [mail] = webhook.received, mails
    assert (posted["title"], posted["message"]) == ("Segue: Кино", "The disk is almost full.")
    assert posted["type"] == "failure"
    assert mail["To"] == "ann@example.org"
    assert "The disk is almost full." in mail.get_payload(0).get_payload(decode=True).decode()


def test_without_addresses_nothing_is_sent():
    assert alerts.send(Settings(alert_urls=None), "title", "text", kind="warning") == 0


def test_an_address_that_does_not_answer_is_named_without_its_password_and_the_others_are_told(port):
    webhook = Webhook()
    [closed] = ports.find_free(1)
    urls = f"json://ann:sesame@127.0.0.1:{closed} json://127.0.0.1:{port}"
    with webhook.listening(port), pytest.raises(ServiceUnavailableError, match=f"127.0.0.1:{closed}") as raised:
        alerts.send(Settings(alert_urls=urls), "title", "text", kind="warning")
    assert "sesame" not in str(raised.value)
    assert webhook.titles == ["title"]


@pytest.mark.parametrize("url", ["carrier-pigeon://sesame@loft", "sesame", "json://"])
def test_what_is_no_address_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError, match="Address 2 of SEGUE_ALERT_URLS") as raised:
        alerts.targets(Settings(alert_urls=f"json://127.0.0.1 {url}"))
    assert "sesame" not in str(raised.value)


def test_the_command_sends_a_test_or_says_what_to_set(port, monkeypatch):
    get_settings.cache_clear()
    monkeypatch.delenv("SEGUE_ALERT_URLS", raising=False)
    nobody = CliRunner().invoke(app, ["alerts", "test"])
    assert (nobody.exit_code, "Set SEGUE_ALERT_URLS" in nobody.output) == (1, True)
    get_settings.cache_clear()
    webhook = Webhook()
    monkeypatch.setenv("SEGUE_ALERT_URLS", f"json://127.0.0.1:{port}")
    with webhook.listening(port):
        told = CliRunner().invoke(app, ["alerts", "test"])
    get_settings.cache_clear()
    assert (told.exit_code, told.output) == (0, "Sent to 1 address.\n")
    assert webhook.titles == ["Segue: a test"]
