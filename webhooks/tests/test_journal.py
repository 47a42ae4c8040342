"""Entries of the journal: durable, in order, once, and whole."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hr_webhooks.entries import is_whole
from hr_webhooks.errors import JournalError
from hr_webhooks.journal import Entry, Journal, JournalLockedError, make_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def entry(body: str | bytes) -> Entry:
    content = body.encode() if isinstance(body, str) else body
    return make_entry(content, tenant="acme", vendor="personio", headers={"user-agent": "test"})


def bodies(journal: Journal, after: int = 0, limit: int | None = None) -> list[str | None]:
    return [each.body for each in journal.read(after, limit)]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    made = Journal(folder, create=True)
    yield made
    made.close()


def test_entries_come_back_as_they_were(journal: Journal) -> None:
    text, binary = '{"a": "ä\\n\u2028"}\n', b"\x1f\x8b\xff"
    assert journal.append([entry(text), entry(binary)]) == 2
    first, second = journal.read(0)
    assert (first.n, first.body, first.body_base64, first.read_body()) == (1, text, None, text.encode())
    assert (second.n, second.body, second.read_body()) == (2, None, binary)
    assert first.headers == {"user-agent": "test"}
    assert first.received.endswith("Z")


def test_only_the_owner_can_read(journal: Journal, folder: Path) -> None:
    journal.append([entry("a")])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_positions_continue_in_a_new_process_and_segment(folder: Path) -> None:
    for number in range(20):
        journal = Journal(folder, create=True, segment_bytes=1000)
        journal.append([entry(str(number))])
        journal.close()
    assert len(segments(folder)) > 3
    journal = Journal(folder)
    assert [(each.n, each.body) for each in journal.read(0)] == [(n + 1, str(n)) for n in range(20)]
    assert bodies(journal, 7, 3) == ["7", "8", "9"]
    assert bodies(journal, 10) == [str(n) for n in range(10, 20)]
    assert bodies(journal, 20) == []
    assert (journal.first_position(), journal.last_position()) == (1, 20)


def test_a_reader_needs_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="There is no journal"):
        Journal(tmp_path / "none")


def test_an_empty_journal_has_no_entries(journal: Journal) -> None:
    assert bodies(journal) == []
    assert (journal.first_position(), journal.last_position()) == (1, 0)
    assert journal.append([]) == 0


@pytest.mark.parametrize("rest", [b"0", b"deadbeef {", b'deadbeef {"n":3,"body"\n', b"\0" * 100, b"\0\0\n\0\n"])
def test_a_torn_last_line_is_ignored_and_removed(folder: Path, journal: Journal, rest: bytes) -> None:
    journal.append([entry("a"), entry("b")])
    with segments(folder)[0].open("ab") as file:
        file.write(rest)
    other = Journal(folder)
    assert bodies(other) == ["a", "b"]
    assert other.last_position() == 2
    assert journal.append([entry("c")]) == 3
    assert bodies(journal) == bodies(other) == ["a", "b", "c"]
    assert all(is_whole(line) for line in segments(folder)[0].read_bytes().splitlines(keepends=True))
    other.close()


@pytest.mark.parametrize("length", range(1, 60, 7))
def test_a_line_that_was_cut_anywhere_is_not_an_entry(folder: Path, journal: Journal, length: int) -> None:
    journal.append([entry("a"), entry("b")])
    journal.close()
    (path,) = segments(folder)
    os.truncate(path, path.stat().st_size - length)
    other = Journal(folder)
    assert bodies(other) == ["a"]
    assert other.append([entry("c")]) == 2
    assert bodies(other) == ["a", "c"]
    other.close()


def test_a_damaged_line_hides_no_other(folder: Path, journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.append([entry("first"), entry("second"), entry("third")])
    journal.close()
    (path,) = segments(folder)
    path.write_bytes(path.read_bytes().replace(b"second", b"sEcond"))
    with caplog.at_level(logging.WARNING):
        assert bodies(Journal(folder)) == ["first", "third"]
    assert "damaged line" in caplog.text
    assert "cond" not in caplog.text
    assert journal.append([entry("fourth")]) == 4


@pytest.mark.parametrize("number", range(3))
def test_a_damaged_line_break_hides_no_entry(folder: Path, journal: Journal, number: int) -> None:
    names = ["first", 'second 00000000 {"n":1,', "third"]
    journal.append([entry(name) for name in names])
    journal.close()
    (path,) = segments(folder)
    content = bytearray(path.read_bytes())
    content[[at for at, byte in enumerate(content) if byte == ord("\n")][number]] = ord("x")
    path.write_bytes(bytes(content))
    assert bodies(Journal(folder)) == names
    assert journal.append([entry("fourth")]) == 4
    assert bodies(Journal(folder)) == [*names, "fourth"]


def test_a_removed_end_is_reported(folder: Path, journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.append([entry("first"), entry("second")])
    journal.close()
    (path,) = segments(folder)
    path.write_bytes(path.read_bytes().replace(b"second", b"sEcond"))
    assert Journal(folder).append([entry("third")]) == 2
    assert "The end of the journal was removed" in caplog.text


def test_several_writers_share_the_positions(folder: Path, journal: Journal) -> None:
    others = [Journal(folder, segment_bytes=2000) for _ in range(4)]

    def write(writer: Journal, name: int) -> None:
        for number in range(50):
            writer.append([entry(f"{name}-{number}"), entry(f"{name}-{number}+")])

    threads = [threading.Thread(target=write, args=(writer, name)) for name, writer in enumerate(others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list(journal.read(0))
    assert [each.n for each in found] == list(range(1, 401))
    for name in range(4):
        mine = [each.body for each in found if each.body and each.body.startswith(f"{name}-")]
        assert mine == [f"{name}-{n}{mark}" for n in range(50) for mark in ("", "+")]
    for each in others:
        each.close()


def test_a_killed_writer_leaves_the_lock_and_its_whole_entries(folder: Path, journal: Journal) -> None:
    program = """
import os, pathlib, sys
from hr_webhooks.journal import Journal, make_entry
journal = Journal(pathlib.Path(sys.argv[1]))
pwrite = os.pwrite
def torn(file, data, offset):
    pwrite(file, data[: len(data) - 5], offset)
    os.kill(os.getpid(), 9)
os.pwrite = torn
journal.append([make_entry(b"%d" % n, tenant="acme", vendor="personio") for n in range(3)])
"""
    journal.append([entry("before")])
    killed = subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    assert killed.returncode == -9
    assert bodies(journal) == ["before", "0", "1"]
    assert journal.append([entry("after")]) == 4
    assert bodies(journal) == ["before", "0", "1", "after"]


def test_a_full_disk_leaves_nothing_behind(folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append([entry("a")])
    size = segments(folder)[0].stat().st_size
    pwrite = os.pwrite

    def fill(file: int, data: memoryview, offset: int) -> int:
        if offset > size:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(file, data[:100], offset)

    monkeypatch.setattr(os, "pwrite", fill)
    with pytest.raises(OSError, match="No space left"):
        journal.append([entry("b"), entry("c")])
    assert segments(folder)[0].stat().st_size == size
    assert bodies(journal) == ["a"]
    monkeypatch.undo()
    assert journal.append([entry("d")]) == 2
    assert bodies(journal) == ["a", "d"]


def test_what_is_not_durable_was_not_appended(folder: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal.append([entry("a")])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            journal.append([entry("b")])
    assert bodies(Journal(folder)) == ["a"]
    assert journal.append([entry("c")]) == 2


@pytest.mark.parametrize("name", ["journal.lock", "journal.queue"])
def test_a_journal_that_others_keep_locked_is_an_error(folder: Path, journal: Journal, name: str) -> None:
    journal.append([entry("a")])
    hasty = Journal(folder, lock_seconds=0.01)
    with (folder / name).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(JournalLockedError):
            hasty.append([entry("b")])
        with pytest.raises(JournalLockedError):
            list(hasty.read(0))
    assert hasty.append([entry("c")]) == 2
    hasty.close()


def test_cut_removes_only_what_is_whole_and_behind(folder: Path) -> None:
    journal = Journal(folder, create=True, segment_bytes=1000)
    for number in range(20):
        journal.append([entry(str(number))])
    first = int(segments(folder)[2].stem)
    assert journal.cut(0) == 0
    assert journal.cut(first - 1) == 2
    assert journal.cut(first - 1) == 0
    assert journal.first_position() == first
    assert bodies(journal)[0] == str(first - 1)
    assert journal.append([entry("next")]) == 21
    assert bodies(journal, 19) == ["19", "next"]


def test_cut_of_everything_keeps_the_position(folder: Path, journal: Journal) -> None:
    journal.append([entry("a"), entry("b")])
    assert journal.cut(2) == 1
    assert bodies(journal) == []
    assert (journal.first_position(), journal.last_position()) == (3, 2)
    other = Journal(folder)
    assert other.last_position() == 2
    assert other.append([entry("c")]) == 3
    assert bodies(journal, 2) == ["c"]
    other.close()


def test_an_entry_may_be_larger_than_a_segment(folder: Path) -> None:
    journal = Journal(folder, create=True, segment_bytes=1000)
    for _ in range(2):
        journal.append([entry("x" * 5000)])
    assert [len(each.read_body()) for each in journal.read(0)] == [5000, 5000]
    assert len(segments(folder)) == 2
    journal.close()


def test_wait_returns_when_another_process_appends(folder: Path, journal: Journal) -> None:
    assert not journal.wait(0, 0)
    other = Journal(folder)
    timer = threading.Timer(0.05, other.append, [[entry("a")]])
    timer.start()
    assert journal.wait(0, 30)
    timer.join()
    assert not journal.wait(1, 0)
    assert journal.wait(0, 0)
    other.close()


def test_reading_continues_where_it_ended(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append([entry(str(number)) for number in range(10)])
    assert bodies(journal, 0, 4) == ["0", "1", "2", "3"]
    starts = []
    original = journal._read_segment
    monkeypatch.setattr(journal, "_read_segment", lambda *args: (starts.append(args[1]), original(*args))[1])
    assert bodies(journal, 4) == ["4", "5", "6", "7", "8", "9"]
    assert bodies(journal, 2, 1) == ["2"]
    assert starts[0] > 0
    assert starts[1] == 0


@pytest.mark.parametrize("name", ["notes.jsonl", "00000000000000000001.jsonl.bak", "1.jsonl"])
def test_other_files_in_the_folder_are_left_alone(folder: Path, journal: Journal, name: str) -> None:
    (folder / name).write_text("other")
    journal.append([entry("a")])
    assert bodies(journal) == ["a"]
    assert (folder / name).read_text() == "other"
