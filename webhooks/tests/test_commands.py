"""The sub-commands `init` and `status`, and what the receiver imports."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hr_webhooks.addresses import Address, list_addresses, read_address_keys
from hr_webhooks.cli import main
from hr_webhooks.config import load_config
from hr_webhooks.heard import Heard, read_heard
from hr_webhooks.journal import Journal, make_entry
from hr_webhooks.private_files import read_lines, write_private
from hr_webhooks.testing import running, write_config

if TYPE_CHECKING:
    from pathlib import Path

INIT = ["init", "--public-url", "https://hooks.example.com", "--tenant", "acme"]
ALL = ["--vendor", "personio", "--vendor", "factorial", "--vendor", "cornerstone"]


def test_init_makes_what_the_receiver_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "webhooks.yml"
    assert main([*INIT, *ALL, "--config", str(path)]) == 0
    told = capsys.readouterr().out
    config = load_config(path)
    assert f"{len(list_addresses(config))} addresses" in told
    assert len(read_address_keys(config.address_key_path)) == 1
    secrets = path.parent / ".secrets"
    for vendor in ("personio", "factorial"):
        (secret,) = read_lines(secrets / f"acme-{vendor}-webhook")
        assert len(secret) > 40
        assert secret not in told
    assert f"write the x-api-key that the portal shows to {secrets / 'acme-cornerstone-webhook'}" in told
    write_private(secrets / "acme-cornerstone-webhook", "from-the-portal-of-acme")
    with running(path) as started:
        (secret,) = read_lines(secrets / "acme-personio-webhook")
        assert started.send(b"1", secret=secret) == 200
        assert started.send(b"1", vendor="cornerstone", secret="from-the-portal-of-acme") == 200


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "webhooks.yml"
    write_private(tmp_path / ".secrets" / "acme-personio-webhook", "a-secret-that-is-in-use")
    assert main([*INIT, "--vendor", "personio", "--config", str(path)]) == 0
    assert "was there already" in capsys.readouterr().out
    assert read_lines(tmp_path / ".secrets" / "acme-personio-webhook") == ["a-secret-that-is-in-use"]
    before = path.read_text()
    assert main([*INIT, *ALL, "--config", str(path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert path.read_text() == before


@pytest.mark.parametrize("wrong", [["--tenant", "../acme"], ["--public-url", "hooks"], ["--type", "employees"]])
def test_init_leaves_nothing_behind_a_mistake(tmp_path: Path, wrong: list[str]) -> None:
    assert main([*INIT, *ALL, *wrong, "--config", str(tmp_path / "webhooks.yml")]) == 1
    assert not list(tmp_path.iterdir())


def test_status_shows_positions_and_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(tmp_path)
    assert main(["status", "--config", str(config)]) == 1
    assert "There is no journal" in capsys.readouterr().err
    journal = Journal(tmp_path / "journal", create=True)
    assert main(["status", "--config", str(config)]) == 0
    assert "nothing received yet" in capsys.readouterr().out
    journal.append([make_entry(b"private", tenant="acme", vendor="personio") for _ in range(3)])
    heard = Heard(journal.folder)
    heard.note(Address("acme", "cornerstone"), "heartbeat", 0.0)
    heard.save()
    assert main(["status", "--config", str(config), "--json", "--verify"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["first_position"], report["last_position"], report["entries"], report["damaged"]) == (1, 3, 3, 0)
    (last,) = (each for each in report["last"] if each["vendor"] == "cornerstone")
    assert last["heartbeat"] == "1970-01-01T00:00:00Z"
    (segment,) = (tmp_path / "journal").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"private", b"Private", 1))
    assert main(["status", "--config", str(config), "--verify"]) == 1
    told = capsys.readouterr()
    assert "damaged        1" in told.out
    assert "rivate" not in told.out + told.err


def test_the_newest_times_of_several_receivers_are_kept(tmp_path: Path) -> None:
    first, second = Heard(tmp_path), Heard(tmp_path)
    person, training = Address("acme", "personio"), Address("acme", "cornerstone")
    now = time.time()
    first.note(person, "event", now)
    first.save()
    second.note(person, "event", now - 100)
    second.note(training, "heartbeat", now)
    second.save()
    assert read_heard(tmp_path) == {"/personio/acme": {"event": now}, "/cornerstone/acme": {"heartbeat": now}}
    (tmp_path / "heard.json").write_text("{")
    assert read_heard(tmp_path) == {}


def test_the_receiver_starts_without_the_sdk() -> None:
    program = "import sys, hr_webhooks.commands.serve; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert not {"singer_sdk", "singer_rest", "requests", "starlette"} & set(loaded)
