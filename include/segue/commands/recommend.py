"""``segue recommend``: print the recommendations of a listener with their reasons."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from segue.console import PlainConsole
from segue.settings import get_settings


def recommend(
    user: Annotated[str, typer.Argument(help="Name of the listener.")],
    count: Annotated[int, typer.Option(min=1, max=100, help="Length of the list.")] = 10,
    discover: Annotated[
        float, typer.Option(min=0, max=1, help="Share of tracks that the listener has never played.")
    ] = 1.0,
) -> None:
    """Rank the catalogue for a listener, and print the reason for each track."""
    from segue.api.accounts import Accounts
    from segue.connections.mongo import database
    from segue.connections.registry import Registry
    from segue.listens.migration import prepare
    from segue.listens.store import ListenStore
    from segue.recommender.serving.champion import Champion
    from segue.recommender.serving.one_listener import Recommending
    from segue.recommender.serving.recommend import Wishes

    settings = get_settings()
    champion = Champion(settings)
    champion.look(Registry(settings))
    with database() as documents:
        prepare(documents)
        if not (Accounts(documents).exists(user) or ListenStore(documents).has_listens(user)):
            typer.echo(
                f"There is no user {user!r}, and nobody has listened under this name. "
                "This is the list of a new listener.",
                err=True,
            )
        recommending = Recommending(documents, champion, skip_weight=settings.skip_weight)
        found = recommending.now(user, Wishes(count=count, discover=discover))
    table = Table(title=f"For {user}, by {found['model_version']}", title_justify="left")
    for heading in ("", "Track", "Artist", "Why"):
        table.add_column(heading, overflow="fold")
    for item in found["items"]:
        table.add_row(str(item["rank"]), item["title"] or item["track_id"], item["artist"], item["reason"])
    PlainConsole().print(table)
