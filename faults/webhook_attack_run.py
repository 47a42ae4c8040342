"""Attacks the receiver over raw sockets. After each attack it must answer a good event within a second."""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from hr_webhooks.testing import HEADERS, SECRETS, running, write_config

from faults.pipeline_run import UNEXPECTED_TEXTS
from faults.results import Outcome
from faults.verdict import Verdict
from faults.webhook_attacks import BODY, Target, make_attacks

if TYPE_CHECKING:
    from pathlib import Path

    from hr_webhooks.testing import Running

    from faults.results import ResultLog
    from faults.webhook_attacks import Attack

ANSWER_SECONDS = 1.0
"""How long a good event may take, and how long is waited for the answer to an attack before its end is sent."""

CLOSE_SECONDS = 20.0
"""How long the receiver may take to close a connection of which it expects more: its own limit is ten seconds."""

SLOW_SENDERS = 300
SLOW_SECONDS = 12.0


def run(part: str, vendor: str, folder: Path, results: ResultLog) -> None:
    """Runs all attacks."""
    folder.mkdir(parents=True, exist_ok=True)
    with running(write_config(folder), "--quiet") as receiver:
        target = Target(receiver.path("personio").encode(), HEADERS["personio"].encode(), SECRETS["personio"].encode())
        problems: defaultdict[str, list[str]] = defaultdict(list)
        counts: defaultdict[str, int] = defaultdict(int)
        for attack in make_attacks(target):
            counts[attack.category] += 1
            if problem := _carry_out(receiver, attack):
                problems[attack.category].append(f"{attack.name}: {problem}")
        for category, sent in {
            "slow senders": target.make_request(body=b"")[:-2],
            "slow senders with a wrong secret": target.make_request(secret=b"x" * len(target.secret), length=b"10000"),
        }.items():
            counts[category] = SLOW_SENDERS
            if problem := _send_slowly(receiver, sent):
                problems[category].append(problem)
        if any(text in receiver.log.read_text() for text in UNEXPECTED_TEXTS):
            problems["malformed"].append("the log has an unhandled error")
    for category, count in counts.items():
        verdict = Verdict.VIOLATION if problems[category] else Verdict.EXACT
        detail = "; ".join(problems[category])
        results.add_outcome(Outcome(part, vendor, 1, category, verdict, f"{count} attacks", detail, count=count))


def _carry_out(receiver: Running, attack: Attack) -> str:
    """Returns what is wrong; else an empty text."""
    before = receiver.journal.last_position()
    answer = _talk(receiver, attack.sent)
    status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None
    if answer.endswith(_OPEN):
        return "the connection stays open"
    if status not in attack.statuses and not (status is None and 400 in attack.statuses):  # noqa: PLR2004 - a status
        return f"status {status}"
    return _find_effect(receiver, before)


def _find_effect(receiver: Running, before: int) -> str:
    begin = time.monotonic()
    if (status := receiver.send(BODY)) != 200:  # noqa: PLR2004 - a status
        return f"a good event is answered with {status}"
    if (seconds := time.monotonic() - begin) > ANSWER_SECONDS:
        return f"a good event takes {seconds:.1f} s"
    entries = receiver.journal.last_position() - before - 1
    return f"{entries} entries in the journal" if entries else ""


_OPEN = b"<still open>"


def _talk(receiver: Running, sent: bytes) -> bytes:
    """Sends bytes, and returns what is answered until the connection is closed."""
    answer = b""
    with receiver.connect(CLOSE_SECONDS) as connection, suppress(ConnectionError):
        connection.settimeout(ANSWER_SECONDS)
        with suppress(TimeoutError, ConnectionError):
            connection.sendall(sent)
        for seconds in (ANSWER_SECONDS, CLOSE_SECONDS):
            connection.settimeout(seconds)
            try:
                while part := connection.recv(65536):
                    answer += part
            except TimeoutError:
                connection.shutdown(socket.SHUT_WR)
            else:
                return answer
        return answer + _OPEN
    return answer


def _send_slowly(receiver: Running, sent: bytes) -> str:
    """Sends a byte now and then over many connections, during which good events must be answered."""
    before = receiver.journal.last_position()
    good = 0
    with ExitStack() as stack:
        connections = [stack.enter_context(receiver.connect(CLOSE_SECONDS)) for _ in range(SLOW_SENDERS)]
        for connection in connections:
            connection.sendall(sent)
        end = time.monotonic() + SLOW_SECONDS
        while time.monotonic() < end:
            for connection in connections:
                with suppress(OSError):  # the receiver has closed it
                    connection.sendall(b"x")
            if problem := _find_effect(receiver, before + good):
                return problem
            good += 1
            time.sleep(0.5)
    return ""
