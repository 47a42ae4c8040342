"""Crashes, full disks, locks and errors: nothing that was answered with 2xx is lost, and trouble is a 503."""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import logging
import os
import random
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hr_webhooks.config import load_config
from hr_webhooks.heard import Heard
from hr_webhooks.journal import Journal
from hr_webhooks.server.app import Receiver
from hr_webhooks.server.logs import RequestLog
from hr_webhooks.server.metrics import Metrics
from hr_webhooks.server.routes import Routes
from hr_webhooks.testing import SECRETS, Running, find_path, running, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[2]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Running]:
    with running(write_config(tmp_path), "--quiet") as started:
        yield started


class Sender(threading.Thread):
    """Sends events until told to stop, and keeps those that were answered with 200.

    Args:
        ports: The receivers' ports, which change when they start again.
        name: Distinguishes its events.
        path: The address.
    """

    def __init__(self, ports: list[int], name: str, path: str) -> None:
        super().__init__()
        self.ports, self.prefix, self.path = ports, name, path
        self.answered: list[str] = []
        self.statuses: set[int] = set()
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[number % len(self.ports)], timeout=20)
            try:
                while not self.stopping.is_set():
                    number += 1
                    body = f"{self.prefix}-{number}-" + "x" * (number % 50 * 40)
                    connection.request("POST", self.path, body, {"Authorization": SECRETS["personio"]})
                    answer = connection.getresponse()
                    answer.read()
                    self.statuses.add(answer.status)
                    if answer.status == 200:
                        self.answered.append(body)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
            finally:
                connection.close()


def port_of(receiver: Running) -> int:
    return urlsplit(receiver.url).port or 0


def crash(config: Path, kills: int, receivers: int) -> None:
    """Kills receivers under load, and compares what was answered with the journal."""
    chance = random.Random(kills)
    running_now = [Running(config, "--quiet") for _ in range(receivers)]
    ports = [port_of(each) for each in running_now]
    senders = [Sender(ports, str(name), running_now[0].path("personio")) for name in range(4)]
    try:
        for sender in senders:
            sender.start()
        for number in range(kills):
            time.sleep(chance.uniform(0.02, 0.2))
            victim = number % receivers
            running_now[victim].kill()
            running_now[victim] = Running(config, "--quiet")
            ports[victim] = port_of(running_now[victim])
        time.sleep(0.2)
    finally:
        for sender in senders:
            sender.stopping.set()
        for sender in senders:
            sender.join()
        for each in running_now:
            each.stop()
    journal = running_now[0].journal
    entries = list(journal.read(0))
    assert journal.damaged == 0
    assert [entry.n for entry in entries] == list(range(1, len(entries) + 1))
    answered = [body for sender in senders for body in sender.answered]
    assert len(answered) > kills
    assert set(answered) <= {entry.body for entry in entries}
    assert {status for sender in senders for status in sender.statuses} == {200}


@pytest.mark.slow
@pytest.mark.parametrize("receivers", [1, 2])
def test_what_was_answered_survives_crashes(tmp_path: Path, receivers: int) -> None:
    crash(write_config(tmp_path), kills=4, receivers=receivers)


@pytest.mark.deep
@pytest.mark.parametrize("receivers", [1, 2])
def test_what_was_answered_survives_many_crashes(tmp_path: Path, receivers: int) -> None:
    crash(write_config(tmp_path), kills=50, receivers=receivers)


@pytest.mark.deep
def test_bursts_are_stored_completely() -> None:
    command = [sys.executable, "-m", "benchmarks.webhooks", "--events", "5000", "--rate", "1000"]
    measured = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert measured.returncode == 0, measured.stdout + measured.stderr


def test_a_file_that_may_not_grow_is_trouble_of_ours(own: Running, tmp_path: Path) -> None:
    assert own.send(b"1") == 200
    (segment,) = (tmp_path / "journal").glob("*.jsonl")
    size = segment.stat().st_size
    resource.prlimit(own.process.pid, resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
    assert own.send(b"2") == 503
    assert own.send(b"3", secret="wrong") == 401
    assert segment.stat().st_size == size
    assert [entry.body for entry in own.journal.read(0)] == ["1"]
    resource.prlimit(own.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert own.send(b"4") == 200
    assert [(entry.n, entry.body) for entry in own.journal.read(0)] == [(1, "1"), (2, "4")]
    assert "File too large" in own.log.read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 80 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("Only root may mount a file system.")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_trouble_of_ours(small_disk: Path, tmp_path: Path) -> None:
    with running(write_config(tmp_path, journal=str(small_disk / "journal"))) as started:
        assert started.send(b"1") == 200
        assert started.read_status("/health") == (200, "ok\n")
        filler = small_disk / "filler"
        with filler.open("wb") as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(65536))
        large = b"2" * 50_000
        while started.send(large) == 200:  # the rest of the last page
            pass
        assert started.send(large) == 503
        status, text = started.read_status("/health")
        assert status == 503
        assert "free space" in text or "No space left" in text
        before = started.journal.last_position()
        filler.unlink()
        assert started.read_status("/health") == (200, "ok\n")
        assert started.send(large) == 200
        entries = list(started.journal.read(0))
        assert [entry.n for entry in entries] == list(range(1, before + 2))


def test_a_journal_that_others_lock_is_trouble_of_ours(own: Running, tmp_path: Path) -> None:
    assert own.send(b"1") == 200
    with (tmp_path / "journal" / "journal.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert own.send(b"2") == 503
    assert own.send(b"3") == 200
    assert [entry.body for entry in own.journal.read(0)] == ["1", "3"]


def test_a_folder_that_is_gone_is_trouble_of_ours(own: Running, tmp_path: Path) -> None:
    assert own.send(b"1") == 200
    (tmp_path / "journal").rename(tmp_path / "elsewhere")
    assert own.send(b"2") == 503
    assert own.read_status("/health")[0] == 503
    (tmp_path / "elsewhere").rename(tmp_path / "journal")
    assert own.send(b"3") == 200
    assert [entry.body for entry in own.journal.read(0)] == ["1", "3"]


class BrokenCommitter:
    """Fails as the journal never should."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def append(self, _entry: object) -> int:
        raise self.error


@pytest.mark.parametrize(
    "error", [ValueError("private"), KeyError("private"), RecursionError("private"), TimeoutError(), OSError("full")]
)
def test_any_error_is_a_503_without_values(tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert answer(tmp_path, error)["status"] == 503
    assert "private" not in str([record.__dict__ for record in caplog.records])


def test_a_request_that_is_cancelled_is_answered(tmp_path: Path) -> None:
    with pytest.raises(asyncio.CancelledError):
        answer(tmp_path, asyncio.CancelledError())
    assert SENT[0]["status"] == 503


SENT: list[Any] = []


def answer(folder: Path, error: BaseException) -> Any:
    """Returns the beginning of the answer of a receiver that cannot write because of an error."""
    config = load_config(write_config(folder))
    journal = Journal(folder / "journal", create=True)
    heard = Heard(journal.folder)
    receiver = Receiver(
        Routes(config),
        config.server,
        committer=BrokenCommitter(error),  # type: ignore[arg-type]
        heard=heard,
        metrics=Metrics(heard, journal.last_position, lambda: 0),
        log=RequestLog(),
    )
    path = find_path(folder / "webhooks.yml", "personio")
    headers = [(b"authorization", SECRETS["personio"].encode()), (b"content-length", b"1")]
    scope = {"type": "http", "method": "POST", "raw_path": path.encode(), "headers": headers}
    SENT.clear()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"1", "more_body": False}

    async def send(message: Any) -> None:
        SENT.append(message)

    asyncio.run(receiver(scope, receive, send))
    assert len(SENT) == 2
    return SENT[0]
