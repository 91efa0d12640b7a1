"""Alerts to people: by mail, ntfy, Slack, webhooks and whatever else Apprise knows."""

from __future__ import annotations

from typing import Literal

from apprise import Apprise, NotifyType

from segue.errors import ConfigurationError, ServiceUnavailableError
from segue.settings import Settings

Kind = Literal["failure", "warning", "success"]


def targets(settings: Settings) -> Apprise:
    """Return the addresses of ``SEGUE_ALERT_URLS``.

    Raises
    ------
    ConfigurationError
        If one of them is no URL that Apprise knows. The message names only its scheme, because a URL may hold a
        password.
    """
    urls = settings.alert_urls.get_secret_value() if settings.alert_urls else ""
    known = Apprise()
    for number, url in enumerate(urls.split(), 1):
        if not known.add(url):
            scheme = url.partition("://")[0] if "://" in url else "no scheme"
            raise ConfigurationError(
                f"Address {number} of SEGUE_ALERT_URLS ({scheme}) is not one that Apprise knows. See "
                "https://github.com/caronc/apprise/wiki for the form of each service."
            )
    return known


def send(settings: Settings, title: str, text: str, *, kind: Kind) -> int:
    """Send one message to every address of the settings.

    Parameters
    ----------
    settings : Settings
    title : str
        One line. Mail has it as its subject.
    text : str
        Plain text.
    kind : str
        Decides about colour and symbol where a service has them.

    Returns
    -------
    int
        Number of addresses. 0 if the settings have none.

    Raises
    ------
    ConfigurationError
        If an address is wrong.
    ServiceUnavailableError
        If a service did not take the message. The message names the service without its password.
    """
    known = targets(settings)
    failed = [
        str(each.url(privacy=True))  # type: ignore[no-untyped-call]
        for each in known
        if not each.notify(body=text, title=title, notify_type=NotifyType(kind))
    ]
    if failed:
        raise ServiceUnavailableError(
            f"An alert could not be sent to {', '.join(failed)}. The log above says why. Check SEGUE_ALERT_URLS."
        )
    return len(known)
