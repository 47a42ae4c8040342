"""The journal is cut behind what all of its readers have finished, and never before it."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hr_webhooks.cli import main
from hr_webhooks.entries import make_entry
from hr_webhooks.follow.progress import FOLDER, Progress, save_progress
from hr_webhooks.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = """
journal: journal
public_url: https://hooks.example.com
address_key_file: key
tenants:
  acme:
    personio: {secret_files: [secret]}
    cornerstone: {secret_files: [secret]}
"""
OLD = datetime.now(UTC) - timedelta(days=30)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    (tmp_path / "webhooks.yml").write_text(CONFIG)
    made = Journal(tmp_path / "journal", create=True, segment_bytes=1)  # a file per entry
    for day in range(10):
        made.append([make_entry(b"{}", tenant="acme", vendor="personio", received=OLD + timedelta(days=day))])
    return made


@pytest.fixture
def trim(tmp_path: Path, journal: Journal, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command. Returns what it prints."""

    def trim(*arguments: str, code: int = 0, **positions: int) -> str:
        for vendor, position in positions.items():
            save_progress(journal.folder / FOLDER / f"follow.acme.{vendor}.json", Progress(position=position))
        assert main(["trim", "--config", str(tmp_path / "webhooks.yml"), *arguments]) == code
        output = capsys.readouterr()
        return output.err if code else output.out

    return trim


def write_state(folder: Path, **positions: int) -> str:
    path = folder / "state.json"
    state = {"bookmarks": {f"{vendor}_events": {"position": position} for vendor, position in positions.items()}}
    path.write_text(json.dumps(state))
    return str(path)


def test_the_slowest_reader_counts(trim: Callable[..., str], journal: Journal, tmp_path: Path) -> None:
    assert "4 files removed; " in trim(personio=4, cornerstone=9)
    assert journal.first_position() == 5
    state = write_state(tmp_path, personio=6, cornerstone=8)
    assert "begins with position 7" in trim("--state", state, personio=9, cornerstone=9)
    assert [entry.n for entry in journal.read(0)] == [7, 8, 9, 10]


def test_a_reader_that_is_behind_keeps_all(trim: Callable[..., str], journal: Journal) -> None:
    trim(personio=0, cornerstone=10)
    assert journal.first_position() == 1


def test_nothing_is_cut_that_nobody_has_read(trim: Callable[..., str], journal: Journal, tmp_path: Path) -> None:
    assert "Nobody has read the events of personio of acme, cornerstone of acme." in trim(code=1)
    assert "Nobody has read the events of cornerstone of acme." in trim(personio=10, code=1)
    assert "Nobody" in trim("--state", write_state(tmp_path, personio=10), code=1)
    assert journal.first_position() == 1
    assert "begins with position 11" in trim("--state", write_state(tmp_path, cornerstone=10))
    assert journal.last_position() == 10
    assert journal.append([make_entry(b"{}", tenant="acme", vendor="personio")]) == 11


def test_recent_entries_are_kept(trim: Callable[..., str], journal: Journal) -> None:
    trim("--keep-days", "25.5", personio=10, cornerstone=10)
    assert journal.first_position() == 6


def test_a_dry_run_changes_nothing(trim: Callable[..., str], journal: Journal) -> None:
    assert "not needed: up to position 8; " in trim("--dry-run", personio=8, cornerstone=10)
    assert journal.first_position() == 1


def test_a_state_from_the_standard_input(
    trim: Callable[..., str], journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    bookmarks = {f"{vendor}_events": {"position": 3} for vendor in ("personio", "cornerstone")}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"singer_state": {"bookmarks": bookmarks}})))
    trim("--state", "-")
    assert journal.first_position() == 4


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "The state has no position of tap-hr-webhooks."),
        ("[1]", "The state has no position"),
        ('{"bookmarks": {"persons": {"position": 10}}}', "The state has no position"),
        ("{", "is not JSON"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_state_cuts_nothing(
    trim: Callable[..., str], journal: Journal, tmp_path: Path, content: Any, sentence: str
) -> None:
    path = tmp_path / "wrong.json"
    if content is not None:
        path.write_text(content)
    assert sentence in trim("--state", str(path), code=1, personio=10, cornerstone=10)
    assert journal.first_position() == 1


def test_a_position_that_the_user_names(trim: Callable[..., str], journal: Journal) -> None:
    trim("--until", "3")
    assert journal.first_position() == 4
    assert "The position 11 is not in this journal." in trim("--until", "11", code=1)
    assert "is not in this journal" in trim(personio=12, cornerstone=12, code=1)
    assert journal.first_position() == 4


def test_a_broken_position_file_cuts_nothing(trim: Callable[..., str], journal: Journal) -> None:
    trim(personio=0, cornerstone=0)
    (journal.folder / FOLDER / "follow.acme.personio.json").write_text("{")
    assert "cannot be read" in trim(code=1)
    assert journal.first_position() == 1
