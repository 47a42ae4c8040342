"""The dbt project `models` over the sandbox's loads gives the figures of the fictitious company."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from calendar import monthrange
from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hr_sandbox.company import absences
from hr_sandbox.company.build import build_company
from hr_sandbox.testing import Sandbox, running
from ruamel.yaml import YAML

from docsite.models import CLASSES
from docsite.models import models as list_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hr_sandbox.company.model.company import Company
    from hr_sandbox.company.model.people import Employment

pytestmark = [pytest.mark.slow, pytest.mark.deep]

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
MODELS = ROOT / "models"
DBT = ROOT / ".meltano" / "transformers" / "dbt-duckdb" / "venv" / "bin" / "dbt"
EMPLOYEES = 60
TODAY = date(2026, 10, 20)
DAY = timedelta(1)
OPEN = date.max
SETTINGS = {
    "personio": {"client_id": "sandbox-client", "client_secret": "sandbox-secret"},
    "factorial": {"api_key": "sandbox-api-key"},
    "cornerstone": {"client_id": "sandbox-client", "client_secret": "sandbox-secret"},
}
STAGED = {
    vendor: {path.stem.partition("__")[2] for path in (MODELS / "models" / "staging" / vendor).glob("*.sql")}
    for vendor in SETTINGS
}


def month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def month_ends(count: int) -> list[date]:
    found = []
    day = TODAY.replace(day=1) - DAY
    for _ in range(count):
        found.append(day)
        day = day.replace(day=1) - DAY
    return found[::-1]


MONTHS = month_ends(24)


def load_vendor(sandbox: Sandbox, vendor: str, database: Path, folder: Path, **settings: Any) -> None:
    """Loads the staged streams of a vendor, as far as the settings offer them."""
    tap = BIN / f"tap-{vendor}"
    config = folder / f"{vendor}.json"
    config.write_text(json.dumps({"api_url": f"{sandbox.url}/{vendor}", **SETTINGS[vendor], **settings}))
    target = folder / "target.json"
    target.write_text(json.dumps({"path": str(database), "default_target_schema": f"tap_{vendor}"}))
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    discovered = subprocess.run(
        [tap, "--config", config, "--discover"], capture_output=True, check=True, env=environment, timeout=120
    )
    catalog = json.loads(discovered.stdout)
    catalog["streams"] = [stream for stream in catalog["streams"] if stream["stream"] in STAGED[vendor]]
    if not settings:
        assert {stream["stream"] for stream in catalog["streams"]} == STAGED[vendor]
    path = folder / f"{vendor}-catalog.json"
    path.write_text(json.dumps(catalog))
    spool = folder / f"{vendor}.jsonl"
    with spool.open("wb") as lines:
        command = [tap, "--config", config, "--catalog", path]
        subprocess.run(command, stdout=lines, stderr=subprocess.PIPE, check=True, env=environment, timeout=300)
    with spool.open("rb") as lines:
        command = [BIN / "target-duckdb", "--config", target]
        subprocess.run(command, stdin=lines, capture_output=True, check=True, timeout=300)


def run_dbt(database: Path, folder: Path, *args: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    assert DBT.exists(), "run `make setup` to install Meltano's plugins"
    return subprocess.run(
        [
            *(DBT, "--no-use-colors", *args, "--project-dir", MODELS, "--profiles-dir", MODELS),
            *("--target-path", folder / "target", "--log-path", folder / "logs"),
            *("--vars", json.dumps({"as_of": TODAY.isoformat(), **variables})),
        ],
        env={**os.environ, "HR_DATABASE": str(database), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )


class Warehouse:
    """A file with the models over the loads of all vendors."""

    def __init__(self, database: Path, sandbox: Sandbox, output: str) -> None:
        self.database = database
        self.sandbox = sandbox
        self.output = output

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.database, read_only=True) as connection:
            return connection.execute(sql, parameters).fetchall()

    def totals(self, metric: str, column: str, source: str) -> list[Any]:
        """Returns a metric's totals at the month ends, without the months that it leaves out."""
        found = dict(
            self.query(
                f"SELECT month_end, {column} FROM hr_metrics.{metric} WHERE source = ? AND dimension = 'total'", source
            )
        )
        return [found.get(day, 0) for day in MONTHS]


@pytest.fixture(scope="module")
def company() -> Company:
    return build_company(EMPLOYEES, 7, TODAY)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("models")
    database = folder / "warehouse.duckdb"
    with running(employees=EMPLOYEES, seed=7, today=TODAY, requests_per_minute=600_000) as sandbox:
        for vendor in SETTINGS:
            load_vendor(sandbox, vendor, database, folder)
        # Groups of any size, to compare all of them.
        built = run_dbt(database, folder, "build", min_group=0, bradford_factor=True)
        assert built.returncode == 0, built.stdout
        yield Warehouse(database, sandbox, built.stdout)


def known_employments(company: Company, source: str) -> list[Employment]:
    """Returns the employments that a source treats as those of employees."""
    if source == "personio":
        return [row for row in company.employments if row.type == "INTERNAL"]
    if source == "factorial":  # has no type of employment
        return list(company.employments)
    latest = (company.latest_employment(person.id) for person in company.people)
    return [row for row in latest if row]  # one per user


def last_day(row: Employment, source: str) -> date:
    if source == "cornerstone" and row.end_date and row.end_date >= TODAY:
        return OPEN  # knows no termination before it takes effect
    return row.end_date or OPEN


def employment_spells(company: Company, source: str) -> dict[int, list[list[date]]]:
    """Returns the first and last days of employment by person. Changes of contract in between are ignored."""
    found: dict[int, list[list[date]]] = defaultdict(list)
    for row in sorted(known_employments(company, source), key=lambda row: (row.start_date, row.id)):
        days = found[row.person_id]
        end = last_day(row, source)
        if days and days[-1][1] != OPEN and row.start_date <= days[-1][1] + DAY:
            days[-1][1] = max(days[-1][1], end)
        else:
            days.append([row.start_date, end])
    return found


SOURCES = ("personio", "factorial", "cornerstone")


@pytest.mark.parametrize("source", ["personio", "factorial"])
def test_every_employment_of_a_person_is_kept(warehouse: Warehouse, company: Company, source: str) -> None:
    expected = [
        (company.people[row.person_id].email.lower(), row.start_date, row.end_date) for row in company.employments
    ]
    found = warehouse.query(
        "SELECT person_key, starts_on, ends_on FROM hr.employment JOIN hr.employee USING (source, employee_id)"
        " WHERE source = ?",
        source,
    )
    assert Counter(found) == Counter(expected)
    assert max(Counter(person for person, _, _ in found).values()) > 1  # somebody came back, or got another contract
    assert any(end and end < TODAY for _, _, end in found)


def test_types_of_employment_are_those_of_the_company(warehouse: Warehouse, company: Company) -> None:
    found = warehouse.query(
        "SELECT employment_type, count(*) FROM hr.employment WHERE source = 'personio' GROUP BY ALL ORDER BY ALL"
    )
    internal = sum(row.type == "INTERNAL" for row in company.employments)
    assert dict(found) == {"employee": internal, "external": len(company.employments) - internal}
    names = {name for (name,) in warehouse.query("SELECT name FROM tap_factorial.contracts_german_contract_types")}
    words = warehouse.query("SELECT DISTINCT employment_word FROM hr.employment WHERE source = 'factorial'")
    assert names & {word for (word,) in words if word}


@pytest.mark.parametrize("source", SOURCES)
def test_headcount_is_that_of_the_company(warehouse: Warehouse, company: Company, source: str) -> None:
    known = employment_spells(company, source).values()
    expected = [sum(any(first <= day <= last for first, last in days) for days in known) for day in MONTHS]
    assert warehouse.totals("headcount", "headcount", source) == expected
    assert expected[-1] > EMPLOYEES / 2


@pytest.mark.parametrize("source", SOURCES)
def test_joiners_and_leavers_are_those_of_the_company(warehouse: Warehouse, company: Company, source: str) -> None:
    known = [days for person in employment_spells(company, source).values() for days in person]
    joined = Counter(month_end(first) for first, _ in known)
    left = Counter(month_end(last) for _, last in known if last != OPEN)
    assert warehouse.totals("joiners", "joiners", source) == [joined[day] for day in MONTHS]
    assert warehouse.totals("leavers", "leavers", source) == [left[day] for day in MONTHS]
    assert sum(joined[day] for day in MONTHS) > 0
    assert sum(left[day] for day in MONTHS) > 0


@pytest.mark.parametrize("source", SOURCES)
def test_attrition_is_that_of_the_company(warehouse: Warehouse, company: Company, source: str) -> None:
    known = employment_spells(company, source)
    year = MONTHS[-13:]
    heads = mean(sum(any(first <= day <= last for first, last in days) for days in known.values()) for day in year)
    left = [(first, last) for days in known.values() for first, last in days if year[0] < last <= year[-1]]
    early = [first for first, last in left if (last - first).days + 1 < 365]
    (found,) = warehouse.query(
        "SELECT attrition, first_year_attrition FROM hr_metrics.attrition"
        " WHERE source = ? AND month_end = ? AND dimension = 'total'",
        source,
        MONTHS[-1],
    )
    assert found == pytest.approx((len(left) / heads, len(early) / heads))


@pytest.mark.parametrize("source", ["personio", "factorial"])
def test_fte_is_that_of_the_company(warehouse: Warehouse, company: Company, source: str) -> None:
    expected = [
        sum(
            row.weekly_working_hours / row.full_time_weekly_working_hours
            for row in known_employments(company, source)
            if row.start_date <= day <= last_day(row, source)
        )
        for day in MONTHS
    ]
    # Factorial rounds a share to hundredths of a percent.
    assert warehouse.totals("fte", "fte", source) == pytest.approx(expected, abs=0.01)


def test_layers_are_those_of_the_company(warehouse: Warehouse, company: Company) -> None:
    def depths(day: date) -> list[int]:
        above = {
            row.person_id: row.supervisor_id
            for row in known_employments(company, "personio")
            if row.start_date <= day <= last_day(row, "personio")
        }
        found = []
        for person in above:
            line = [person]
            while (manager := above[line[-1]]) in above and manager != line[-1]:
                line.append(manager)
            found.append(len(line) - 1)
        return found

    expected = [depths(day) for day in MONTHS]
    assert warehouse.totals("layers", "mean_depth", "personio") == pytest.approx([mean(day) for day in expected])
    assert warehouse.totals("layers", "max_depth", "personio") == [max(day) for day in expected]
    assert max(expected[-1]) > 1


def test_cornerstone_has_no_share_of_full_time(warehouse: Warehouse) -> None:
    assert warehouse.totals("fte", "fte", "cornerstone") == [0] * len(MONTHS)


@pytest.mark.parametrize("source", ["personio", "factorial"])
def test_absence_days_are_those_of_the_company(warehouse: Warehouse, company: Company, source: str) -> None:
    expected: Counter[tuple[date, str]] = Counter()
    for row in company.absences:
        if row.approval != "APPROVED":
            continue
        for part in absences.split_into_days(row, TODAY):
            amount = part.amount if row.start_half else part.amount / 8
            expected[month_end(part.day), company.absence_types[row.type_id].category] += amount
    found = warehouse.query(
        "SELECT last_day(day), sum(days), sum(days) FILTER (category = 'sick') FROM hr.absence_day"
        " WHERE source = ? AND status = 'approved' GROUP BY ALL",
        source,
    )
    days: Counter[date] = Counter()
    for (month, _), amount in expected.items():
        days[month] += amount
    assert {month: amount for month, amount, _ in found} == pytest.approx({day: n for day, n in days.items() if n})
    sick = {month: amount for (month, category), amount in expected.items() if category == "SICK_LEAVE" and amount}
    assert {month: amount for month, _, amount in found if amount} == pytest.approx(sick)


@pytest.mark.parametrize("source", ["personio", "factorial"])
def test_bradford_factors_are_those_of_the_company(warehouse: Warehouse, company: Company, source: str) -> None:
    sick: dict[int, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for row in company.absences:
        if row.approval == "APPROVED" and company.absence_types[row.type_id].category == "SICK_LEAVE":
            for part in absences.split_into_days(row, TODAY):
                if TODAY - timedelta(364) < part.day <= TODAY:
                    sick[row.person_id][part.day] += part.amount if row.start_half else part.amount / 8
    known = employment_spells(company, source)
    expected = {}
    for person, amounts in sick.items():
        days = sorted(day for day, amount in amounts.items() if amount)
        if not days or not any(first <= TODAY <= last for first, last in known[person]):
            continue
        count = 1 + sum(
            any((earlier + timedelta(n)).weekday() < 5 for n in range(1, (later - earlier).days))
            for earlier, later in pairwise(days)
        )
        expected[company.people[person].email.lower()] = pytest.approx((count, count**2 * sum(amounts.values())))
    found = warehouse.query(
        "SELECT person_key, spells, bradford_factor FROM hr_metrics.bradford_factor"
        " JOIN hr.employee USING (source, employee_id) WHERE source = ?",
        source,
    )
    assert {person: (count, factor) for person, count, factor in found} == expected
    assert expected


@pytest.mark.parametrize("source", ["personio", "factorial"])
def test_worked_minutes_are_those_of_the_company(warehouse: Warehouse, company: Company, source: str) -> None:
    expected: Counter[tuple[str, date, str]] = Counter()
    for row in company.attendances:
        if row.ends_at:
            minutes = (row.ends_at - row.starts_at).total_seconds() // 60
            expected[company.people[row.person_id].email, row.day, row.type] += int(minutes)
    found: Counter[tuple[str, date, str]] = Counter()
    for email, day, worked, breaks in warehouse.query(
        "SELECT person_key, day, worked_minutes, break_minutes FROM hr.working_day"
        " JOIN hr.employee USING (source, employee_id) WHERE source = ?",
        source,
    ):
        found[email, day, "WORK"] += worked
        found[email, day, "BREAK"] += breaks
    assert +found == +expected
    assert len(expected) > 100


STAGES = {"UNASSIGNED": "new", "ACCEPTED": "hired"}


@pytest.mark.parametrize("source", SOURCES)
def test_applications_by_stage_are_those_of_the_company(warehouse: Warehouse, company: Company, source: str) -> None:
    expected: Counter[str] = Counter()
    for row in company.applications:
        kind = row.transitions[-1].stage.kind
        stage = STAGES.get(kind, kind.lower())
        # Factorial has reasons of rejection only, and no word for a candidate who withdrew.
        expected["rejected" if source == "factorial" and stage == "withdrawn" else stage] += 1
    found = warehouse.query("SELECT stage, count(*) FROM hr.application WHERE source = ? GROUP BY ALL", source)
    assert dict(found) == expected


@pytest.mark.parametrize("source", ["personio", "factorial"])
def test_the_funnel_counts_who_reached_a_stage(warehouse: Warehouse, company: Company, source: str) -> None:
    def reached(kinds: set[str]) -> int:
        return sum(any(step.stage.kind in kinds for step in row.transitions) for row in company.applications)

    (found,) = warehouse.query(
        "SELECT sum(applications), sum(reached_interview), sum(reached_offer), sum(hired) FROM hr_metrics.funnel"
        " WHERE source = ? AND dimension = 'total'",
        source,
    )
    late = {"OFFER", "ACCEPTED"}
    assert found == (len(company.applications), reached({"INTERVIEW", *late}), reached(late), reached({"ACCEPTED"}))


def test_time_to_hire_is_that_of_the_company(warehouse: Warehouse, company: Company) -> None:
    days = [
        (row.transitions[-1].entered_at.date() - row.applied_on).days
        for row in company.applications
        if row.transitions[-1].stage.kind == "ACCEPTED"
    ]
    ((people, total),) = warehouse.query(
        "SELECT sum(people), sum(mean_days * people) FROM hr_metrics.time_to_hire"
        " WHERE source = 'personio' AND dimension = 'total'"
    )
    assert (people, total) == (len(days), pytest.approx(sum(days)))
    assert days


def test_completions_are_those_of_the_sources(warehouse: Warehouse) -> None:
    transcripts = warehouse.sandbox.records("cornerstone", "transcript_core")
    memberships = warehouse.sandbox.records("factorial", "trainings_training_memberships")
    assert dict(
        warehouse.query("SELECT source, count(*) FROM hr.learning_record WHERE status = 'completed' GROUP BY ALL")
    ) == {
        "cornerstone": sum(row["user_lo_comp_dt"] is not None for row in transcripts),
        "factorial": sum(row["status"] == "completed" for row in memberships),
    }


def test_the_gender_pay_gap_is_that_of_the_company(warehouse: Warehouse, company: Company) -> None:
    day = MONTHS[-1]
    kinds = {kind.id: kind.category for kind in company.compensation_types}
    known = employment_spells(company, "personio")
    pay: dict[tuple[str, str], list[float]] = defaultdict(list)
    for person in company.people:
        if not any(first <= day <= last for first, last in known[person.id]):
            continue
        for row in company.compensations.find_by_owner(person.id):
            if kinds[row.type_id] not in {"FIXED_SALARY", "HOURLY"} or not row.is_in_effect(day, day):
                continue
            periods = {"MONTHLY": 12, "YEARLY": 1}.get(row.interval or "")
            hourly = row.amount if periods is None else row.amount * periods / (row.weekly_working_hours * 52)
            pay[row.currency, person.gender].append(hourly)
    expected = {}
    for currency in {currency for currency, _ in pay}:
        men, women = pay[currency, "MALE"], pay[currency, "FEMALE"]
        if men and women:
            gaps = ((mean(men) - mean(women)) / mean(men), (median(men) - median(women)) / median(men))
            expected[currency] = pytest.approx((len(men), len(women), *gaps))
    found = warehouse.query(
        "SELECT currency, men, women, mean_gap, median_gap FROM hr_metrics.gender_pay_gap"
        " WHERE source = 'personio' AND month_end = ? AND dimension = 'total'",
        day,
    )
    assert {currency: tuple(figures) for currency, *figures in found} == expected
    assert expected


def test_people_are_the_same_in_all_sources(warehouse: Warehouse, company: Company) -> None:
    assert warehouse.query("SELECT person_key, count(*) FROM hr.employee GROUP BY ALL ORDER BY ALL") == sorted(
        (person.email.lower(), len(SOURCES)) for person in company.people
    )


def test_only_known_differences_between_sources_are_listed(warehouse: Warehouse) -> None:
    assert {field for (field,) in warehouse.query("SELECT DISTINCT field FROM hr.person_conflict")} <= {
        "termination_date"
    }


def test_the_only_warning_is_about_words_that_no_seed_maps(warehouse: Warehouse) -> None:
    assert re.findall(r"of \d+ WARN \d+ (\S+)", warehouse.output) == ["unmapped_words"]


def test_every_column_has_a_description(warehouse: Warehouse) -> None:
    described = {
        (model.name, column["name"])
        for model in list_models().values()
        for column in model.properties["columns"]
        if column["description"] and model.properties["description"] and column["config"]["meta"]["class"] in CLASSES
    }
    columns = warehouse.query(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema IN ('hr', 'hr_metrics')"
    )
    assert set(columns) == described


def test_a_change_gives_a_new_version_and_assignment(warehouse: Warehouse, tmp_path: Path) -> None:
    (person, old), *_ = warehouse.query(
        "SELECT person_id, id FROM tap_personio.employments WHERE status = 'ACTIVE' ORDER BY ALL LIMIT 1"
    )
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(warehouse.database.read_bytes())
    with duckdb.connect(copy) as connection:
        connection.execute(
            'UPDATE tap_personio.employments SET position = \'{"title":"Astronaut"}\','
            " office = json_object('id', (SELECT max(id) FROM tap_personio.workplaces"
            " WHERE id <> office ->> 'id')) WHERE id = ?",
            [old],
        )
        # The earlier snapshot is of an earlier day.
        connection.execute(
            "UPDATE hr_snapshots.snap_personio__employments SET dbt_valid_from = dbt_valid_from - INTERVAL 3 DAY"
        )
    built = run_dbt(copy, tmp_path, "build", "--select", "+employment_version", "+assignment", min_group=0)
    assert built.returncode == 0, built.stdout
    changed = Warehouse(copy, warehouse.sandbox, built.stdout)
    versions = changed.query(
        "SELECT job_title, valid_from, valid_to FROM hr.employment_version WHERE source = 'personio'"
        " AND employment_id = ? ORDER BY valid_from",
        old,
    )
    (_, _, before), (title, since, until) = versions
    assert (title, before, until) == ("Astronaut", since - DAY, None)
    places = changed.query(
        "SELECT org_unit_id, valid_from, valid_to FROM hr.assignment WHERE source = 'personio' AND employee_id = ?"
        " AND org_unit_id LIKE 'location:%' AND coalesce(valid_to, DATE '9999-12-31') >= ? ORDER BY valid_from",
        person,
        since - DAY,
    )
    assert [(first, last) for _, first, last in places][-1] == (since, None)
    assert all(earlier[2] == later[1] - DAY for earlier, later in pairwise(places))


def test_small_groups_and_the_next_smallest_are_left_out(warehouse: Warehouse, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(warehouse.database.read_bytes())
    built = run_dbt(copy, tmp_path, "run", "--select", "path:models/metrics")
    assert built.returncode == 0, built.stdout
    shown = Warehouse(copy, warehouse.sandbox, built.stdout)
    sql = (
        "SELECT source, month_end, dimension, member, headcount FROM hr_metrics.headcount"
        " WHERE month_end = ? AND dimension = 'location'"
    )
    groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for source, _, _, member, size in warehouse.query(sql, MONTHS[-1]):
        groups[source].append((size, member))
    expected = set()
    for source, members in groups.items():
        small = sum(size < 5 for size, _ in members)
        expected |= {(source, member) for _, member in sorted(members)[small + 1 if small else 0 :]}
    assert {(source, member) for source, _, _, member, _ in shown.query(sql, MONTHS[-1])} == expected
    assert sum(map(len, groups.values())) > len(expected) > 0


def copy_tables(
    warehouse: Warehouse, database: Path, vendor: str, streams: Iterable[str], schema: str | None = None
) -> None:
    """Copies tables of a vendor to another file, into a schema of the same name unless another is given."""
    schema = schema or f"tap_{vendor}"
    with duckdb.connect(database) as connection:
        connection.execute(f"ATTACH '{warehouse.database}' AS whole (READ_ONLY); CREATE SCHEMA {schema}")
        for stream in streams:
            connection.execute(f"CREATE TABLE {schema}.{stream} AS FROM whole.tap_{vendor}.{stream}")


@pytest.mark.parametrize("loaded", [(), ("factorial",)], ids=["nothing", "one vendor"])
def test_models_are_built_over_what_is_loaded(warehouse: Warehouse, tmp_path: Path, loaded: tuple[str, ...]) -> None:
    database = tmp_path / "part.duckdb"
    for vendor in loaded:
        copy_tables(warehouse, database, vendor, sorted(STAGED[vendor])[1:])  # and without one of its tables
    built = run_dbt(database, tmp_path, "build", "--exclude-resource-type", "unit_test", *([] if loaded else ["test"]))
    assert built.returncode == 0, built.stdout
    part = Warehouse(database, warehouse.sandbox, built.stdout)
    assert {source for (source,) in part.query("SELECT DISTINCT source FROM hr.employee")} == set(loaded)
    tables = part.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'hr_metrics'")
    assert ("headcount",) in tables
    assert ("bradford_factor",) not in tables  # is about single persons, and off by default


PAGE = (ROOT / "docs" / "questions.md").read_text()
QUESTIONS = re.findall(r"^## \d+\. ([^\n]+)\n\n```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("question", "sql"), QUESTIONS, ids=[str(number + 1) for number in range(len(QUESTIONS))])
def test_every_question_has_a_result(warehouse: Warehouse, question: str, sql: str) -> None:
    # Groups of any size, as everywhere in this file.
    sql = sql.replace("count(*) >= 5", "count(*) >= 1").replace("current_date", f"DATE '{TODAY}'")
    assert warehouse.query(sql), question


def test_the_metric_of_the_tutorial_is_there(warehouse: Warehouse) -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text()
    (sql,) = re.findall(r"```sql\n([^`]*hr_metrics[^`]*)```", page)
    assert len(warehouse.query(sql)) == 12


def test_there_are_twenty_one_questions() -> None:
    assert len(QUESTIONS) == 21


@pytest.mark.parametrize("title", ["DuckDB", "pandas", "polars", "Arrow"])
def test_examples_in_python_run(warehouse: Warehouse, tmp_path: Path, title: str) -> None:
    page = (ROOT / "docs" / "python.md").read_text()
    (code,) = re.findall(rf"^## {title}\n.*?```python\n(.*?)```", page, re.MULTILINE | re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 3
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "warehouse.duckdb").symlink_to(warehouse.database)
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip()


NOTEBOOK = """
import json, sys
from types import SimpleNamespace
import explore
filters = {name: SimpleNamespace(value=value) for name, value in json.loads(sys.argv[1]).items()}
editor = SimpleNamespace(value="SELECT count(*) AS people FROM hr.employee")
_, found = explore.app.run(defs={**filters, "editor": editor} if filters else None)
figures = found.get("figures", {}).values()
print(json.dumps({
    "query_rows": found["rows"].to_dicts() if "rows" in found else None,
    "shown": {figure.name: sorted({str(row["source"]) for row in figure.rows}) for figure in figures},
    "sql": [figure.sql for figure in figures],
}))
"""


def run_notebook(database: Path, **filters: Any) -> Any:
    """Runs the notebook without a browser. Returns what it computed."""
    result = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, json.dumps(filters)],
        cwd=ROOT,
        env={**os.environ, "HR_DATABASE": str(database)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_the_notebook_shows_all_charts_and_runs_sql(warehouse: Warehouse) -> None:
    found = run_notebook(warehouse.database)
    assert found["shown"].keys() >= {"headcount", "movements", "attrition", "funnel", "training", "pay_gap"}
    assert found["shown"]["headcount"] == ["cornerstone", "factorial", "personio"]
    assert len(found["query_rows"]) > len(SOURCES)  # people by source and status


def test_the_notebook_applies_its_filters(warehouse: Warehouse) -> None:
    ((department,),) = warehouse.query(
        "SELECT member FROM hr_metrics.headcount WHERE dimension = 'department' AND source = 'personio'"
        " AND member <> 'unknown' GROUP BY ALL ORDER BY sum(headcount) DESC LIMIT 1"
    )
    found = run_notebook(
        warehouse.database, chosen=["personio"], department=department, since=None, until=str(MONTHS[-1])
    )
    assert found["shown"]["headcount"] == ["personio"]
    assert any(department in sql and str(MONTHS[-1]) in sql for sql in found["sql"])
    assert found["query_rows"] == [{"people": EMPLOYEES * len(SOURCES)}]


def test_the_notebook_says_what_to_do_without_models(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "explore.py"],
        env={**os.environ, "HR_DATABASE": str(tmp_path / "missing.duckdb")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "Traceback" not in result.stderr
    assert run_notebook(tmp_path / "missing.duckdb") == {"query_rows": None, "shown": {}, "sql": []}


PAY = {
    "tap_personio.compensations": ["amount"],
    "tap_personio.employees": ["fix_salary", "hourly_salary"],
    "tap_factorial.contracts_contract_versions": ["salary_amount"],
    "tap_factorial.contracts_compensations": ["amount"],
    "tap_factorial.payroll_supplements": ["amount_in_cents"],
}


def test_models_are_built_without_the_columns_of_pay(warehouse: Warehouse, tmp_path: Path) -> None:
    database = tmp_path / "part.duckdb"
    for vendor, streams in STAGED.items():
        copy_tables(warehouse, database, vendor, streams)
    with duckdb.connect(database) as connection:
        for table, columns in PAY.items():
            for column in columns:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    built = run_dbt(database, tmp_path, "build", "--exclude-resource-type", "unit_test")
    assert built.returncode == 0, built.stdout
    part = Warehouse(database, warehouse.sandbox, built.stdout)
    for table in ("hr.compensation", "hr_metrics.gender_pay_gap"):
        assert warehouse.query(f"FROM {table} LIMIT 1")
        assert part.query(f"FROM {table}") == []
    assert part.query("SELECT count(*) FROM hr.employee") == warehouse.query("SELECT count(*) FROM hr.employee")


def run_build(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `build.py`."""
    return subprocess.run(
        [DBT.parent / "python", MODELS / "build.py", *args],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def refused_build(database: Path | str, **environment: str) -> str:
    """Runs `build.py` on a file that it refuses. Returns its message."""
    result = run_build(HR_DATABASE=str(database), **environment)
    assert (result.returncode, result.stdout) == (1, "")
    return result.stderr


def test_a_file_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path) -> None:
    database = tmp_path / "warehouse.duckdb"
    assert re.fullmatch(r"The file .* does not exist\. Load data first, .*\n", refused_build(database))
    assert not database.exists()
    with duckdb.connect(database) as connection:
        assert re.fullmatch(r"The file .* is in use by another process\. Run this again .*\n", refused_build(database))
        connection.execute("CREATE SCHEMA tap_personio")
    assert re.fullmatch(r"The file .* has no tables yet\. Load data first: .*\n", refused_build(database))
    with duckdb.connect(database) as connection:
        connection.execute("CREATE TABLE tap_personio.persons (id INTEGER)")
    assert re.fullmatch(
        r"The tables in .* are not from `target-duckdb`.* Load the data with it, .*\n", refused_build(database)
    )
    with duckdb.connect(database) as connection:
        connection.execute(
            "DROP SCHEMA tap_personio CASCADE; CREATE SCHEMA ours; CREATE TABLE ours._singer_state (id INT)"
        )
    assert re.fullmatch(
        r"The file .* has loaded data, but no schema .* --vars '\{personio_schema: ours\}'\.\n", refused_build(database)
    )
    built = run_build("--vars", "{hr_schema: mine}", HR_DATABASE=str(database))
    assert (built.returncode, "has loaded data, but no schema" in built.stderr) == (1, True)
    assert refused_build("", DBT_TARGET="prod").startswith("The profile prod has no default file.")
    database.write_text("no database" * 1000)
    assert re.fullmatch(r"The file .* cannot be opened as a DuckDB file\. Name the file .*\n", refused_build(database))


def test_one_vendor_is_built_from_a_schema_of_another_name(warehouse: Warehouse, tmp_path: Path) -> None:
    database = tmp_path / "part.duckdb"
    copy_tables(warehouse, database, "personio", [*sorted(STAGED["personio"]), "_singer_state"], "ours")
    paths = {"HR_DATABASE": str(database), "DBT_TARGET_PATH": str(tmp_path), "DBT_LOG_PATH": str(tmp_path)}
    result = run_build("--vars", "{personio_schema: ours}", "--exclude-resource-type=test", **paths)
    assert result.returncode == 0, result.stdout
    found = Warehouse(database, warehouse.sandbox, result.stdout).query(
        "SELECT source, count(*) FROM hr.employee GROUP BY 1"
    )
    assert found == [("personio", EMPLOYEES)]


def test_another_dbt_project_includes_the_models(warehouse: Warehouse, tmp_path: Path) -> None:
    files = {
        "dbt_project.yml": "{name: mine, version: '1.0', profile: mine, models: {mine: {+materialized: table}}}",
        "packages.yml": json.dumps({"packages": [{"local": str(MODELS)}]}),
        "profiles.yml": json.dumps(
            {
                "mine": {
                    "target": "dev",
                    "outputs": {
                        "dev": {
                            "type": "duckdb",
                            "path": "mine.duckdb",
                            "settings": {"TimeZone": "UTC"},
                            "schema": "own",
                        }
                    },
                }
            }
        ),
        "models/people.sql": "select source, count(*) as people from {{ ref('hr_models', 'employee') }} group by all",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    copy_tables(warehouse, tmp_path / "mine.duckdb", "personio", sorted(STAGED["personio"]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    for command in (["deps"], ["build", "--exclude-resource-type", "unit_test"]):
        result = subprocess.run(
            [DBT, "--no-use-colors", "--no-send-anonymous-usage-stats", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert result.returncode == 0, result.stdout
    mine = Warehouse(tmp_path / "mine.duckdb", warehouse.sandbox, result.stdout)
    assert mine.query("FROM own.people") == [("personio", EMPLOYEES)]
    assert mine.query("SELECT DISTINCT source FROM hr_metrics.headcount") == [("personio",)]


def test_dbt_uses_the_duckdb_of_the_loader() -> None:
    plugins = YAML(typ="safe").load(ROOT / "meltano.yml")["plugins"]
    locked = re.search(r'name = "duckdb"\nversion = "(.*)"', (ROOT / "uv.lock").read_text())
    assert locked
    for plugin in (*plugins["loaders"], *plugins["transformers"]):
        assert f"duckdb=={locked.group(1)}" in plugin["pip_url"].split()
    assert locked.group(1) == duckdb.__version__


PRIVACY_KEY = "a key of the tests, not a secret"
METRICS = {
    "headcount": ["headcount"],
    "fte": ["fte"],
    "joiners": ["joiners"],
    "leavers": ["leavers"],
    "attrition": ["leavers", "attrition", "first_year_attrition"],
    "overtime": ["worked_hours", "overtime_hours"],
    "funnel": ["applications", "hired"],
    "training_completion": ["due", "completed"],
    "training_hours": ["hours"],
    "time_to_hire": ["mean_days"],
    "span_of_control": ["mean_reports"],
    "layers": ["mean_depth", "max_depth"],
    "absence_rate": ["absence_days", "sick_days"],
    "gender_pay_gap": ["median_gap"],
}
"""Metrics, with columns of which a privacy profile may change the totals."""
LOST: dict[str, set[str]] = {
    "no-pay": {"gender_pay_gap.median_gap"},
    "pseudonymous": set(),
    "minimal": {"gender_pay_gap.median_gap", "absence_rate.sick_days"},
}
"""The columns that a profile changes or empties."""


@pytest.mark.parametrize("profile", ["no-pay", "pseudonymous", "minimal"])
def test_metrics_survive_a_privacy_profile(warehouse: Warehouse, tmp_path: Path, profile: str) -> None:
    database = tmp_path / "private.duckdb"
    for vendor in SETTINGS:
        load_vendor(warehouse.sandbox, vendor, database, tmp_path, privacy=profile, privacy_key=PRIVACY_KEY)
    built = run_dbt(database, tmp_path, "build", min_group=0, bradford_factor=True)
    assert built.returncode == 0, built.stdout
    private = Warehouse(database, warehouse.sandbox, built.stdout)

    def totals(of: Warehouse, metric: str, column: str) -> list[Any]:
        found = of.query(
            f"SELECT source, month_end, {column} FROM hr_metrics.{metric} WHERE dimension = 'total' ORDER BY ALL"
        )
        return [part for row in found for part in row]

    changed = {
        f"{metric}.{column}"
        for metric, columns in METRICS.items()
        for column in columns
        if totals(private, metric, column) != pytest.approx(totals(warehouse, metric, column))
    }
    assert changed == LOST[profile]
