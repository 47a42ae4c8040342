"""The follower: which runs it starts, with which settings, and what it does when they fail."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hr_webhooks.cli import main
from hr_webhooks.entries import make_entry
from hr_webhooks.follow.plan import RunSettings
from hr_webhooks.follow.progress import Progress
from hr_webhooks.follow.target import FAILURES_BEFORE_FULL, LOOK_AGAIN, Options, Target
from hr_webhooks.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hr_webhooks.entries import Entry
    from hr_webhooks.follow.plan import Report

FAR = 10.0**12
"""A time, in seconds since 1970, when nothing is due for long."""
EVERYTHING = RunSettings()


def personio(name: str, record_id: str) -> Entry:
    subject = name.partition(".")[0].replace("-", "_")
    body = {"event_name": name, "occurred_at": "2026-11-30T10:00:00Z", "payload": {subject: {"id": record_id}}}
    return make_entry(json.dumps(body).encode(), tenant="acme", vendor="personio")


def factorial(event_type: str, **body: Any) -> Entry:
    return make_entry(json.dumps(body).encode(), tenant="acme", vendor="factorial", event_type=event_type)


@dataclass
class Pipeline:
    """Stands for the pipeline: keeps the settings of its runs, and says what they report."""

    runs: list[RunSettings] = field(default_factory=list)
    reports: list[Report | None] = field(default_factory=list)

    def __call__(self, settings: RunSettings) -> Report | None:
        self.runs.append(settings)
        return self.reports.pop(0) if self.reports else {}

    def take(self) -> list[RunSettings]:
        runs, self.runs = self.runs, []
        return runs


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("hr_webhooks.follow.target.time", found)
    return found


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


Step = "Callable[..., list[RunSettings]]"


class Followed:
    """A target, and the entries that it gets."""

    def __init__(self, pipeline: Pipeline, path: Path, vendor: str, options: Options, progress: Progress) -> None:
        self.pipeline = pipeline
        self.target = Target("acme", vendor, path, pipeline, options, progress)
        self.entries: list[Entry] = []

    def work(self, *entries: Entry) -> list[RunSettings]:
        """Adds entries. Returns the settings of the runs."""
        self.entries += entries
        self.target.begin()
        for n, entry in enumerate(self.entries, 1):
            self.target.add(with_position(entry, n))
        self.target.work(len(self.entries))
        return self.pipeline.take()


def with_position(entry: Entry, n: int) -> Entry:
    return msgspec.structs.replace(entry, n=n)


@pytest.fixture
def follow(pipeline: Pipeline, tmp_path: Path, clock: Clock) -> Callable[..., Followed]:
    def follow(vendor: str = "personio", **options: Any) -> Followed:
        progress = Progress(synced=clock.now, changes_read=clock.now - 3600)
        return Followed(pipeline, tmp_path / "progress.json", vendor, Options(**options), progress)

    return follow


def test_events_of_a_while_are_one_run(follow: Callable[..., Followed]) -> None:
    found = follow().work(
        personio("person.created", "1"),
        personio("absence-period.created", "a"),
        personio("person.updated", "1"),
        personio("person.updated", "2"),
        personio("absence-period.updated.status", "a"),
        personio("ping", "1"),
        personio("compensation.updated", "c"),
    )
    assert found == [RunSettings("persons?=1,2 employees?=1,2 absence_periods?=a")]


def test_nothing_new_is_no_run(follow: Callable[..., Followed]) -> None:
    followed = follow()
    assert followed.work(personio("person.created", "1"))
    assert followed.work() == []
    assert followed.work(personio("ping", "1")) == []
    assert followed.target.progress.position == 2


def test_deletions_are_confirmed(follow: Callable[..., Followed]) -> None:
    found = follow().work(
        personio("absence-period.updated.timerange", "a"),
        personio("absence-period.deleted", "a"),
        personio("absence-period.updated.timerange", "a"),  # may come late
        personio("person.updated", "1"),
    )
    assert found == [RunSettings("persons?=1 employees?=1", "absence_periods?=a")]


def test_employments_that_are_not_those_of_the_persons_are_searched_everywhere(
    follow: Callable[..., Followed], pipeline: Pipeline
) -> None:
    entries = [
        personio("person.created", "1"),
        personio("employment.created", "e"),
        personio("employment.updated", "g"),
        personio("employment.deleted", "f"),
    ]
    together = RunSettings("persons?=1 employees?=1 employments?=e,g", "employments?=f")
    assert follow().work(*entries) == [together]
    persons = {"found": ["1"]}
    pipeline.reports = [
        {"persons": persons, "employments": {"found": ["e"], "missing": ["g"], "unconfirmed": ["f"]}},
        {"employments": {"found": ["g"], "deleted": ["f"]}},
    ]
    followed = follow()
    assert followed.work(*entries) == [together, RunSettings("employments?=g", "employments?=f")]
    assert followed.target.progress.missing == []


def test_deletions_alone(follow: Callable[..., Followed]) -> None:
    assert follow().work(personio("person.deleted", "1")) == [RunSettings("", "persons?=1 employees?=1")]


def test_too_many_records_are_a_normal_run(follow: Callable[..., Followed]) -> None:
    followed = follow(max_ids=3)
    assert followed.work(*(personio("absence-period.created", str(n)) for n in range(3))) != [EVERYTHING]
    assert followed.work(*(personio("absence-period.created", str(n)) for n in range(4))) == [EVERYTHING]
    found = followed.work(*(personio("absence-period.deleted", str(n)) for n in range(5)))
    assert found == [RunSettings("", "absence_periods?=0,1,2"), RunSettings("", "absence_periods?=3,4")]


def test_settings_of_a_full_run_fit_into_the_environment(follow: Callable[..., Followed]) -> None:
    uuid = "0123456789abcdef0123456789abcdef0123"
    (settings,) = follow().work(*(personio("absence-period.created", f"{n:03}{uuid}") for n in range(1000)))
    assert len(settings.only) < 128 * 1024  # what Linux allows of a variable


@pytest.mark.parametrize("broken", ["a b", "a,b", "a=b", "a;b", "a\nb", "x" * 300])
def test_ids_that_cannot_be_asked_for_are_passed_over(follow: Callable[..., Followed], broken: str) -> None:
    found = follow().work(personio("person.created", broken), personio("person.created", "1"))
    assert found == [RunSettings("persons?=1 employees?=1")]


def test_streams_without_ids_are_read_now_and_then(follow: Callable[..., Followed], clock: Clock) -> None:
    followed = follow("factorial", changes_every=60)
    clock_in = factorial("attendance/shift/clock_in", employee_id=7)
    assert followed.work(clock_in) == [RunSettings("attendance_shifts?")]
    assert followed.work(clock_in, clock_in) == []
    assert followed.target.progress.changes == ["attendance_shifts"]
    assert followed.target.next_due() == clock.now + 60
    clock.now += 61
    assert followed.work() == [RunSettings("attendance_shifts?")]
    assert followed.work() == []


def test_everything_is_read_regularly(follow: Callable[..., Followed], clock: Clock) -> None:
    followed = follow(sync_every=3600)
    clock.now += 3599
    assert followed.work() == []
    clock.now += 2
    assert followed.work(personio("person.created", "1")) == [RunSettings("persons?=1 employees?=1"), EVERYTHING]
    assert followed.work() == []
    assert follow(sync_every=0).target.next_due() == float("inf")


def test_a_clock_that_is_set_back_delays_nothing(
    follow: Callable[..., Followed], clock: Clock, pipeline: Pipeline
) -> None:
    followed = follow(sync_every=3600)
    pipeline.reports = [{"persons": {"missing": ["1"]}}]
    assert len(followed.work(personio("person.created", "1"))) == 1
    clock.now -= 7 * 24 * 3600
    assert followed.target.next_due() == clock.now
    assert followed.work() == [RunSettings("persons?=1"), EVERYTHING]
    assert followed.target.next_due() == clock.now + 3600
    followed.target.failures, followed.target.retry_at = 1, clock.now + 5
    assert not followed.target.is_ready
    clock.now -= 3600
    assert followed.target.is_ready


def test_the_first_run_reads_everything(pipeline: Pipeline, tmp_path: Path, clock: Clock) -> None:
    followed = Followed(pipeline, tmp_path / "progress.json", "personio", Options(), Progress())
    assert followed.work() == [EVERYTHING]


def test_a_failed_run_is_repeated_with_what_came_since(
    follow: Callable[..., Followed], pipeline: Pipeline, clock: Clock
) -> None:
    followed = follow()
    pipeline.reports = [None]
    followed.work(personio("absence-period.created", "a"))
    assert followed.target.progress.position == 0
    assert not followed.target.path.exists()
    assert followed.target.next_due() == clock.now + 5
    clock.now += 5
    assert followed.work(personio("absence-period.created", "b")) == [RunSettings("absence_periods?=a,b")]
    assert json.loads(followed.target.path.read_text())["position"] == 2
    assert stat.S_IMODE(followed.target.path.stat().st_mode) == 0o600


def test_a_record_that_makes_runs_fail_does_not_block_the_others(
    follow: Callable[..., Followed], pipeline: Pipeline
) -> None:
    followed = follow()
    pipeline.reports = [None] * FAILURES_BEFORE_FULL
    found = [followed.work(personio("absence-period.deleted", "broken"))]
    found += [followed.work() for _ in range(FAILURES_BEFORE_FULL)]
    single = [RunSettings("", "absence_periods?=broken")]
    assert found == [single] * FAILURES_BEFORE_FULL + [[EVERYTHING]]
    assert followed.target.failures == 0
    assert [one.id for one in followed.target.progress.missing] == ["broken"]


def test_records_that_are_not_found_are_read_again_later(
    follow: Callable[..., Followed], pipeline: Pipeline, clock: Clock
) -> None:
    followed = follow()
    missing: Report = {"absence_periods": {"found": ["b"], "missing": ["a"]}}
    for number, seconds in enumerate((0.0, *LOOK_AGAIN)):
        clock.now += seconds
        pipeline.reports = [missing]
        entries = [personio("absence-period.created", "a"), personio("absence-period.created", "b")]
        found = followed.work(*(entries if not number else ()))
        assert found == [RunSettings(f"absence_periods?={'a' if number else 'a,b'}")]
        assert followed.work() == []
    assert followed.target.progress.missing == []


def test_deletions_that_are_not_confirmed_are_asked_again(
    follow: Callable[..., Followed], pipeline: Pipeline, clock: Clock
) -> None:
    followed = follow()
    pipeline.reports = [{"absence_periods": {"deleted": [], "unconfirmed": ["a"]}}]
    followed.work(personio("absence-period.deleted", "a"))
    clock.now += LOOK_AGAIN[0]
    assert followed.work() == [RunSettings("", "absence_periods?=a")]
    assert followed.target.progress.missing == []


# The command


COMMAND = """
import json, os, sys, time
names = [name for name in os.environ if name.startswith("TAP_")]
with open(sys.argv[1], "a") as file:
    file.write(json.dumps({"words": sys.argv[2:], **{name: os.environ[name] for name in names}}) + "\\n")
time.sleep(float(os.environ.get("SLEEP", "0")))
with open(sys.argv[1], "a") as file:
    file.write(json.dumps("ended") + "\\n")
sys.exit(int(os.environ.get("EXIT", "0")))
"""
CONFIG = """
journal: journal
public_url: https://hooks.example.com
address_key_file: key
tenants:
  acme:
    personio: {secret_files: [secret]}
    factorial: {secret_files: [secret], types: [timeoff/leave/create]}
"""


@dataclass
class Project:
    """A folder with a configuration, a journal and a command that writes down how it is run."""

    folder: Path

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "journal", create=True)

    def arguments(self, *more: str) -> list[str]:
        command = f"{sys.executable} {self.folder / 'command.py'} {self.folder / 'runs'} tap-{{vendor}} 'a b' $HOME"
        config = str(self.folder / "webhooks.yml")
        return ["follow", "--config", config, "--run", command, "--quiet-for", "0.2", "--max-wait", "1", *more]

    def runs(self) -> list[Any]:
        path = self.folder / "runs"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for(self, number: int) -> list[Any]:
        deadline = time.monotonic() + 30
        while len(self.runs()) < number and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.runs()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    (tmp_path / "webhooks.yml").write_text(CONFIG)
    (tmp_path / "command.py").write_text(COMMAND)
    monkeypatch.setenv("TAP_PERSONIO_ONLY", "persons=999")  # left over from the user's shell
    found = Project(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield found
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_the_command_gets_the_settings_of_its_tap(project: Project) -> None:
    project.journal.append([personio("person.created", "1"), personio("person.deleted", "2")])
    project.journal.append([factorial("timeoff/leave/create", id=5)])
    assert main(project.arguments("--once", "--sync-every", "0")) == 0
    first, _, second, _ = project.runs()
    report = first.pop("TAP_PERSONIO_ONLY_REPORT")
    assert first == {
        "words": ["tap-personio", "a b", "$HOME"],
        "TAP_PERSONIO_ONLY": "persons?=1 employees?=1",
        "TAP_PERSONIO_CONFIRM_DELETED": "persons?=2 employees?=2",
    }
    assert report.endswith("report.json")
    assert second["words"][0] == "tap-factorial"
    assert second["TAP_FACTORIAL_ONLY"] == "timeoff_leaves?=5"
    assert main(project.arguments("--once", "--sync-every", "0")) == 0
    assert len(project.runs()) == 4
    positions = project.folder / "journal" / "positions"
    assert {path.name for path in positions.glob("*.json")} == {
        "follow.acme.personio.json",
        "follow.acme.factorial.json",
    }
    assert not list(positions.glob(".run-*"))


def test_a_normal_run_has_no_such_settings(project: Project) -> None:
    _ = project.journal
    assert main(project.arguments("--once", "--vendor", "personio")) == 0
    run, _ = project.runs()
    assert run.keys() == {"words"}


def test_a_failing_command_is_an_error_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.journal.append([personio("person.created", "1")])
    monkeypatch.setenv("EXIT", "3")
    assert main(project.arguments("--once", "--vendor", "personio", "--sync-every", "0")) == 1
    monkeypatch.setenv("EXIT", "0")
    assert main(project.arguments("--once", "--vendor", "personio", "--sync-every", "0")) == 0
    assert [run["TAP_PERSONIO_ONLY"] for run in project.runs()[::2]] == ["persons?=1 employees?=1"] * 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--run", "true"], "There are several vendors: factorial, personio. Write {vendor} where"),
        (["--vendor", "cornerstone"], "The configuration has no vendor cornerstone. It has: factorial, personio."),
        (["--tenant", "other"], "The configuration has no tenant other. It has: acme."),
        (["--run", "'"], "A quotation mark is missing"),
        (["--run", ""], "The command is empty."),
        (["--max-ids", "0"], "--max-ids must be at least 1"),
    ],
)
def test_invalid_arguments_are_sentences(
    project: Project, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _ = project.journal
    assert main(project.arguments("--once", *arguments)) == 1
    assert sentence in capsys.readouterr().err


@pytest.fixture
def follower(project: Project) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start followers, which end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hr_webhooks", *project.arguments(*arguments)]
        environment = {**os.environ, **variables}
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_stopped_follower_lets_the_run_finish(
    project: Project, follower: Callable[..., subprocess.Popen[str]]
) -> None:
    journal = project.journal
    process = follower("--vendor", "personio", "--sync-every", "0", "--then", "true", SLEEP="1")
    journal.append([personio("person.created", "1")])
    assert len(project.wait_for(1)) == 1
    process.terminate()
    assert process.wait(30) == 0
    run, ended = project.runs()
    assert (run["TAP_PERSONIO_ONLY"], ended) == ("persons?=1 employees?=1", "ended")
    saved = project.folder / "journal" / "positions" / "follow.acme.personio.json"
    assert json.loads(saved.read_text())["position"] == 1


def test_a_burst_is_one_run_and_two_followers_are_refused(
    project: Project, follower: Callable[..., subprocess.Popen[str]]
) -> None:
    journal = project.journal
    follower("--vendor", "personio", "--sync-every", "0", "--quiet-for", "0.5")
    journal.append([personio("person.created", "0")])
    assert len(project.wait_for(2)) == 2
    for number in range(10):
        journal.append([personio("person.created", str(number))])
    runs = project.wait_for(4)
    assert runs[2]["TAP_PERSONIO_ONLY"].startswith("persons?=0,1,2,3,4,5,6,7,8,9 ")
    other = follower("--vendor", "personio")
    assert other.wait(30) == 1
    assert other.stderr is not None
    assert "Another process follows follow.acme.personio." in other.stderr.read()
    assert len(project.runs()) == 4


def test_a_killed_follower_repeats_its_run(project: Project, follower: Callable[..., subprocess.Popen[str]]) -> None:
    project.journal.append([personio("person.created", "1")])
    process = follower("--vendor", "personio", "--sync-every", "0", SLEEP="0.5")
    project.wait_for(1)
    process.kill()
    process.wait()
    assert main(project.arguments("--once", "--vendor", "personio", "--sync-every", "0")) == 0
    first, ended, second, _ = project.runs()  # the run of the killed one had ended before the next began
    assert first["TAP_PERSONIO_ONLY"] == second["TAP_PERSONIO_ONLY"] == "persons?=1 employees?=1"
    assert ended == "ended"
    assert not [*(project.folder / "journal" / "positions").glob(".run-*")]


def test_a_journal_that_lost_entries_is_not_followed_silently(
    project: Project, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    follow_once = project.arguments("--once", "--vendor", "personio", "--sync-every", "0")
    project.journal.append([personio("person.created", str(number)) for number in range(3)])
    assert main(follow_once) == 0
    (segment,) = (project.folder / "journal").glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[:-1]))
    assert main(follow_once) == 1
    assert "follow.acme.personio.json: entries are gone, or it is another journal." in capsys.readouterr().err
    segment.write_bytes(b"".join(lines))
    project.journal.append([personio("person.created", "4")])
    project.journal.cut(4)
    project.journal.append([personio("person.created", "5")])
    assert main(follow_once) == 0
    assert "entries 4 to 4 were removed from the journal before they were read" in caplog.text


def test_the_next_command_runs_after_events_of_any_kind(project: Project) -> None:
    project.journal.append([personio("ping", "1")])
    marker = project.folder / "then"
    then = f"touch {marker}"
    assert main(project.arguments("--once", "--vendor", "personio", "--sync-every", "0", "--then", then)) == 0
    assert not project.runs()
    assert marker.exists()
