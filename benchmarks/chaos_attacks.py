"""What a campaign does to the API beside each fault: hostile requests, floods, and tokens that end.

Each attack looks at the answers. Whatever happens to the services, no answer may be 500, no hostile upload may be
accepted, and no token may work once it has ended and the API's cache of it has expired.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
from chaos_schedule import ENDINGS, Fault
from listens_killed import CLIENTS, Played
from pymongo.database import Database
from pymongo.errors import PyMongoError
from synthetic import names_of

from segue.api.accounts import CACHED_S, Accounts
from segue.api.forgetting import forget_in_database
from segue.connections import mongo
from segue.settings import Settings

SUBMIT = "/1/submit-listens"
FLOOD_FROM, SILENT_FROM = "127.0.0.2", "127.0.0.3"
"""Addresses of the attackers, because the API limits the requests and connections of an address."""
FLOODING, FLOOD_PAUSE_S = 4, 0.05
SILENT = 400
PATIENCE_S = 900.0
"""How long an attack waits for a service that a fault has hit."""

End = Callable[[Database[Any], str], object]
END: dict[str, End] = {
    "revoke": lambda database, user: Accounts(database).revoke(user),
    "rotate": lambda database, user: Accounts(database).rotate(user),
    "forget": forget_in_database,
}


def _hostile() -> dict[str, bytes]:
    """Return bodies that must be refused, by what is wrong with them."""
    good = {"listened_at": 1_700_000_000, "track_metadata": names_of(0)}

    def body(**changes: object) -> bytes:
        return json.dumps({"listen_type": "import", "payload": [good | changes]}).encode()

    return {
        "no JSON": b'{"listen_type": "single", "payl',
        "no UTF-8": b'{"listen_type": "\xff"}',
        "not a number": b'{"listen_type": NaN}',
        "50,000 lists in each other": b"[" * 50_000 + b"]" * 50_000,
        "11 MB": b" " * 11_000_000,
        "1,001 listens": json.dumps({"listen_type": "import", "payload": [good] * 1_001}).encode(),
        "an operator": body(listened_at={"$gt": 0}),
        "an endless number": body(listened_at=10**400),
        "a title of 5 MB": body(track_metadata={"artist_name": "x", "track_name": "x" * 5_000_000}),
    }


class Attacks:
    """The attacks of one campaign, and what came of them.

    Parameters
    ----------
    settings : Settings
    faults : list of Fault
        All of the campaign, since their users get their accounts now.
    """

    def __init__(self, settings: Settings, faults: list[Fault]) -> None:
        self._url = f"http://127.0.0.1:{settings.api_port}"
        self._client = mongo.client(settings.mongo, selection_timeout_ms=3_000, socket_timeout_ms=10_000)
        self._database = self._client[settings.mongo_database]
        accounts = Accounts(self._database)
        ending = [f"attacked-{each.number}" for each in faults if each.attack in ENDINGS]
        self._tokens = {name: accounts.add(name) for name in [*ending, "hostile"]}
        self.answers: Counter[int] = Counter()
        self.requests: Counter[str] = Counter()
        self.answered: Played = set()
        self.sent: Played = set()
        self.ended: dict[str, str] = {}  # the tokens that have ended, by user
        self.forgotten: set[str] = set()
        self.wrong: list[str] = []

    def close(self) -> None:
        """Close the connections to MongoDB."""
        self._client.close()

    def run(self, fault: Fault, over: threading.Event) -> None:
        """Attack until the stack has recovered from a fault."""
        attacks: dict[str, Callable[[], None]] = {
            "hostile uploads": self._upload,
            "flood": lambda: self._flood(over),
            "silent connections": lambda: self._be_silent(over),
            **{name: lambda name=name: self._end(fault, END[name]) for name in ENDINGS},  # type: ignore[misc]
        }
        attacks[fault.attack]()

    def ended_tokens_that_work(self) -> list[str]:
        """Try each token that has ended once more. Return the users of those that are not refused."""
        codes: dict[str, int] = {}

        def answered(api: httpx.Client, user: str) -> bool:
            codes[user] = self._post(api, self.ended[user], _listen(user, 1_300_000_000))
            return codes[user] in {httpx.codes.OK, httpx.codes.UNAUTHORIZED}

        with self._api() as api:
            for user in self.ended:
                _patiently(lambda user=user: answered(api, user))  # type: ignore[misc]
        return [user for user, code in codes.items() if code == httpx.codes.OK]

    def _api(self, address: str = "127.0.0.1", **more: Any) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=address)
        return httpx.Client(base_url=self._url, transport=transport, timeout=120, **more)

    def _post(self, api: httpx.Client, token: str, content: bytes) -> int:
        """Submit something. Return the code of the answer, or 0 if there was none."""
        self.requests["submissions"] += 1
        try:
            answer = api.post(SUBMIT, content=content, headers={"Authorization": f"Token {token}"})
        except httpx.TransportError:
            return 0
        self._judge(answer)
        return answer.status_code

    def _judge(self, answer: httpx.Response) -> None:
        self.answers[answer.status_code] += 1
        if answer.is_server_error and answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            self.wrong.append(f"{answer.request.url.path} was answered with {answer.status_code}: {answer.text}")
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Retry-After" not in answer.headers:
            self.wrong.append(f"{answer.request.url.path} was answered with 503 without Retry-After")

    def _upload(self) -> None:
        with self._api() as api:
            for what, body in _hostile().items():
                if self._post(api, self._tokens["hostile"], body) == httpx.codes.OK:
                    self.wrong.append(f"A hostile upload was accepted: {what}")

    def _flood(self, over: threading.Event) -> None:
        def send(number: int) -> None:
            with self._api(FLOOD_FROM) as api:
                while not over.wait(FLOOD_PAUSE_S):
                    self.requests["of floods"] += 1
                    try:
                        self._judge(api.get("/1/validate-token", headers={"Authorization": f"Token {number}"}))
                    except httpx.TransportError:
                        continue

        threads = [threading.Thread(target=send, args=(number,)) for number in range(FLOODING)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _be_silent(self, over: threading.Event) -> None:
        port, silent = int(self._url.rpartition(":")[2]), list[socket.socket]()
        for _ in range(SILENT):
            try:
                silent.append(socket.create_connection(("127.0.0.1", port), 1, (SILENT_FROM, 0)))
            except OSError:
                break  # the fault has hit the API or the network
        self.requests["silent connections"] += len(silent)
        over.wait(PATIENCE_S)
        for each in silent:
            each.close()

    def _end(self, fault: Fault, end: End) -> None:
        """Let a user send listens, end the user's token meanwhile, and watch when it is refused."""
        user = f"attacked-{fault.number}"
        token, stopping, accepted = self._tokens[user], threading.Event(), list[float]()

        def send() -> None:
            at = 1_200_000_000
            with self._api() as api:
                while not stopping.wait(0.2):
                    at, began = at + 60, time.monotonic()
                    self.sent.add((user, at))
                    if self._post(api, token, _listen(user, at)) == httpx.codes.OK:
                        accepted.append(began)
                        self.answered.add((user, at))

        thread = threading.Thread(target=send)
        thread.start()
        _patiently(lambda: accepted)
        _patiently(lambda: self._done(end, user))
        ended_at = time.monotonic()
        time.sleep(CACHED_S + 3)
        stopping.set()
        thread.join()
        late = [began - ended_at for began in accepted if began > ended_at + CACHED_S]
        if late:
            self.wrong.append(
                f"{len(late)} listens of {user} were accepted up to {max(late):.1f} s after {fault.attack}"
            )
        self.ended[user] = token
        if fault.attack == "forget":
            self.forgotten.add(user)

    def _done(self, end: End, user: str) -> bool:
        try:
            end(self._database, user)
        except PyMongoError:
            return False
        return True


def _listen(user: str, at: int) -> bytes:
    names = names_of(int(user.rpartition("-")[2]) % CLIENTS)
    listen = {"listened_at": at, "track_metadata": names}
    return json.dumps({"listen_type": "single", "payload": [listen]}).encode()


def _patiently(holds: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"Nothing came of an attack for {PATIENCE_S:.0f} s.")
        time.sleep(0.2)
