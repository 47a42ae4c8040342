"""What a privacy profile does not keep is nowhere: markers in every field are searched for in all that runs write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_rest.privacy.classes import TOP_CLASSES
from singer_rest.privacy.classification import shipped_classes

from faults import testbench
from faults.field_markers import CLOCK_MARKER, find_markers, locate_markers
from faults.profiles import KINDS, Trials
from faults.results import ResultLog
from faults.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Bench = testbench.TestBench
pytestmark = pytest.mark.slow

SECRET = "zqx000000000077"
EMPLOYEES = 10
SHORT = {"everything", "pseudonymous", "minimal"}


@pytest.fixture(params=[name if name == "personio" else pytest.param(name, marks=pytest.mark.deep) for name in VENDORS])
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[testbench.TestBench]:
    monkeypatch.setattr(testbench, "EMPLOYEES", EMPLOYEES)
    credentials = {"api_key": SECRET} if request.param == "factorial" else {"client_secret": SECRET}
    with testbench.TestBench(VENDORS[request.param], tmp_path, 7, credentials, **credentials) as started:
        yield started


def test_only_what_a_profile_keeps_is_written(bench: Bench, request: pytest.FixtureRequest) -> None:
    is_deep = bool(request.node.get_closest_marker("deep"))
    trials = Trials(bench, results := ResultLog(7), SECRET)
    trials.run_kinds([kind for kind in KINDS if is_deep or kind.name in SHORT])
    trials.run_commands()
    if is_deep:
        trials.run_meltano()
    assert [outcome.detail for outcome in results.failures] == []
    located = {
        trials.locations.class_of(stream, path).partition(".")[0]
        for places in trials.locations.of.values()
        for stream, path, _ in places
    }
    classes = shipped_classes(f"tap_{bench.vendor.name}")
    shipped = {found.name.partition(".")[0] for stream in bench.streams for found in classes.get(stream, {}).values()}
    assert located >= {*TOP_CLASSES} & shipped - {"technical"}, "each class has markers"
    assert len(trials.locations.of) > 0.95 * len(trials.planter.planted)


def test_leak_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a profile that keeps more than the one whose markers are searched for."""
    loose = tmp_path / "loose.yml"
    loose.write_text("extends: minimal\nactions: {direct_id.name: keep, unclassified: keep}\n")
    monkeypatch.setattr(testbench, "EMPLOYEES", EMPLOYEES)
    monkeypatch.setattr(testbench, "STREAMS", {"persons"})
    with testbench.TestBench(VENDORS["personio"], tmp_path, 7) as bench:
        run = bench.run
        monkeypatch.setattr(
            bench,
            "run",
            lambda *args, privacy, **more: run(*args, privacy=str(loose) if privacy == "minimal" else privacy, **more),
        )
        trials = Trials(bench, results := ResultLog(7), SECRET)
        trials.run_kinds([kind for kind in KINDS if kind.name in {"everything", "minimal"}])
    (failure,) = results.failures
    for place in ("tap.out", "database file", "database"):
        assert f"{place} contains" in failure.detail
    assert f"persons.first_name (direct_id.name) {EMPLOYEES}" in failure.detail
    assert "(unclassified)" in failure.detail


def test_markers_are_found_in_any_form() -> None:
    assert find_markers(b"x zqx000000000001 731000000000002, 1234-05-06T06:47:21Z") == {
        "zqx000000000001",
        "731000000000002",
        "1234-05-06",
        CLOCK_MARKER,
    }
    record = {"a": {"zqx000000000001": 1}, "b": [{"c": 731000000000002}], "d": ["zqx000000000003"]}
    assert {*locate_markers(record)} == {
        ("zqx000000000001", "a.zqx000000000001"),
        ("731000000000002", "b[].c"),
        ("zqx000000000003", "d"),
    }
