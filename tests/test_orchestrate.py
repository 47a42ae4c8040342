"""What Airflow loads: the file of tenants, selection, environments and the record of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hr_pipeline.catalog import select, selected_schemas
from hr_pipeline.plan import FOLDER, PlanError, TapPlan, read_plan
from hr_pipeline.pools import pools
from hr_pipeline.project import environment_of
from hr_pipeline.record import read_record
from singer_rest.telemetry.numbers import RunNumbers, RunResult, StreamNumbers
from singer_rest.telemetry.prometheus import write_metrics_file

if TYPE_CHECKING:
    from pathlib import Path

    from hr_pipeline.plan import Plan

PERSONIO: dict[str, Any] = {"settings": {"client_id": "papi-1"}, "secrets": {"client_secret": {"variable": "acme"}}}
SECRET = "papi-zqx-secret"


def plan_of(folder: Path, content: Any) -> Plan:
    path = folder / "tenants.yml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return read_plan(path)


def of_tap(tap: str = "tap-personio", **changes: Any) -> dict[str, Any]:
    return {"tenants": {"acme": {"taps": {tap: PERSONIO | changes}}}}


def test_the_example_is_valid() -> None:
    plan = read_plan(FOLDER / "tenants.example.yml")
    assert plan.schedule("acme") == "@daily"  # of meltano.yml
    assert plan.schedule("globex") == "15 5 * * *"
    assert {name: pool["slots"] for name, pool in pools(plan).items()} == {
        "hr_acme.tap-personio": 2,
        "hr_acme.tap-factorial": 1,
        "hr_globex.tap-cornerstone": 1,
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("tenants: [", "is not YAML in line 1"),
        ("{}", "tenants: Field required"),
        ({"tenants": {"Acme Inc.": {"taps": {"tap-personio": PERSONIO}}}}, "String should match pattern"),
        (of_tap("tap-workday"), "meltano.yml has no extractor tap-workday, only tap-personio"),
        (of_tap(settings={"client_idd": SECRET}), "the tap has no setting client_idd"),
        (of_tap(settings={"client_secret": SECRET}), "client_secret is a secret. Write under `secrets` where it is"),
        (of_tap(secrets={"client_secret": SECRET}), "Input should be a valid dictionary"),
        (of_tap(secrets={"client_secret": {"value": SECRET}}), "Extra inputs are not permitted"),
        (
            of_tap(secrets={"client_secret": {"file": "x", "variable": "y"}}),
            "give one of file, variable and connection",
        ),
        (of_tap(secrets={"client_id": {"file": "x"}}), "client_id cannot be read from a file"),
        (of_tap(tasks_at_once=2), "tasks_at_once needs requests_per_minute"),
        (of_tap() | {"environment": "nowhere"}, "meltano.yml has no environment nowhere"),
        (of_tap() | {"project": "/nowhere"}, "Set `project` to its folder"),
    ],
)
def test_a_plan_that_cannot_be_used_is_refused_with_a_sentence(tmp_path: Path, content: Any, sentence: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(tmp_path, content)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "tenants.yml"))
    assert SECRET not in str(caught.value)


def test_tasks_share_the_limit_of_their_credential() -> None:
    plan = TapPlan(requests_per_minute=100, tasks_at_once=3, settings={"max_concurrency": 10})
    assert plan.shared_settings() == {"requests_per_minute": 33, "max_concurrency": 3}
    assert TapPlan(settings={"max_concurrency": 10}).shared_settings() == {"max_concurrency": 10}


def test_a_tap_sees_its_settings_only() -> None:
    inherited = {
        "PATH": "/bin",
        "HTTPS_PROXY": "proxy",
        "AIRFLOW__API_AUTH__JWT_SECRET": SECRET,
        "OTEL_SDK_DISABLED": "1",
    }
    assert environment_of("tap-personio", {"views": ["a"], "on": True, "start_date": None}, inherited) == {
        "PATH": "/bin",
        "HTTPS_PROXY": "proxy",
        "OTEL_SDK_DISABLED": "1",
        "TAP_PERSONIO_VIEWS": '["a"]',
        "TAP_PERSONIO_ON": "true",
    }


def catalog(*streams: str) -> dict[str, Any]:
    paths: list[list[str]] = [[], ["id"], ["name"], ["address"], ["address", "city"]]
    breadcrumbs = [[part for name in path for part in ("properties", name)] for path in paths]
    return {
        "streams": [
            {"tap_stream_id": stream, "metadata": [{"breadcrumb": one, "metadata": {}} for one in breadcrumbs]}
            for stream in streams
        ]
    }


def selected(chosen: dict[str, Any]) -> dict[str, list[str]]:
    return {
        stream["tap_stream_id"]: [
            ".".join(entry["breadcrumb"][1::2])
            for entry in stream["metadata"]
            if entry["breadcrumb"] and entry["metadata"]["selected"]
        ]
        for stream in chosen["streams"]
    }


def test_each_stream_is_in_the_first_group_that_names_it() -> None:
    groups = {"people": ["persons", "emp*"], "rest": ["*"]}
    found = catalog("persons", "employments", "absences")
    names = {group: list(selected(select(found, ["*.*"], groups, group))) for group in groups}
    assert names == {"people": ["persons", "employments"], "rest": ["absences"]}


def test_columns_are_selected_as_in_meltano() -> None:
    found, groups = catalog("persons", "absences", "salaries"), {"all": ["*"]}
    chosen = selected(select(found, ["*.*", "!persons.name", "!*.address.city", "!salaries.*"], groups, "all"))
    assert chosen == {"persons": ["id", "address"], "absences": ["id", "name", "address"]}
    assert selected(select(found, ["persons.id"], groups, "all")) == {"persons": ["id"]}


def test_the_record_has_the_numbers_of_the_metrics_file(tmp_path: Path) -> None:
    numbers = RunNumbers({}, requests=12, retries={"persons": 2}, waits={}, received_bytes=999)
    streams = [StreamNumbers("persons", "read", 250, 9, 1.25), StreamNumbers("absences", "skipped", 0, 1, 0.5)]
    path = tmp_path / "run.prom"
    write_metrics_file(
        path, "tap-personio", RunResult(succeeded=True, numbers=numbers, streams=streams, waited=0.5, seconds=2.0)
    )
    assert read_record(path.read_text()) == {
        "rows": 250,
        "requests": 12,
        "retries": 2,
        "seconds": 2,
        "waited_seconds": 0.5,
        "read": 1,
        "skipped": 1,
        "failed": 0,
        "unfinished": 0,
        "streams": {
            "persons": {"rows": 250, "requests": 9, "seconds": 1.25},
            "absences": {"rows": 0, "requests": 1, "seconds": 0.5},
        },
    }
    assert read_record("") == {"rows": 0, "streams": {}}


def test_tables_have_the_selected_streams_and_columns() -> None:
    chosen = select(catalog("persons"), ["*.*", "!persons.name", "!*.address.city"], {"all": ["*"]}, "all")
    properties = {name: {} for name in ("id", "name", "address", "_extra")}
    messages = [
        {"type": "SCHEMA", "stream": stream, "key_properties": ["id"], "schema": {"properties": properties}}
        for stream in ("persons", "absences")
    ]
    (found,) = selected_schemas("\n".join(map(json.dumps, messages)), chosen)
    assert (found["stream"], list(found["schema"]["properties"])) == ("persons", ["id", "address", "_extra"])
