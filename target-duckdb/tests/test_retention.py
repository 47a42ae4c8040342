"""`target-duckdb retain`: values of people who left go after the months of the setting `retention`."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from target_duckdb.erasure.retention import retain
from target_duckdb.errors import TargetError
from target_duckdb.plugin import ConfiguredTarget

TODAY = date(2026, 3, 31)
TEXT: dict[str, Any] = {"type": ["null", "string"]}
DAY: dict[str, Any] = {**TEXT, "format": "date"}
PERSON = {**TEXT, "x-protection": "direct_id.id", "x-refers-to": {"space": "person", "form": "id"}}
EMAIL = {**TEXT, "x-protection": "direct_id.email", "x-refers-to": {"form": "email"}}
END, START = {**DAY, "x-protection": "personal.end"}, {**DAY, "x-protection": "personal.start"}
PAY = {"type": ["null", "number"], "x-protection": "pay.amount"}
PARENT = {**TEXT, "x-refers-to": {"form": "row", "stream": "absences"}}


def _schema(stream: str, properties: dict[str, Any], key: str) -> dict[str, Any]:
    properties = {name: {"x-protection": "technical", **part} for name, part in properties.items()}
    return {"type": "SCHEMA", "stream": stream, "schema": {"properties": properties}, "key_properties": [key]}


def _record(stream: str, **values: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": values}


SCHEMAS = [
    _schema(
        "persons", {"id": PERSON, "email": EMAIL, "termination_date": END, "trial_period_end": END, "salary": PAY}, "id"
    ),
    _schema(
        "contracts",
        {"id": TEXT, "person_id": PERSON, "employment_start_date": START, "employment_end_date": END, "amount": PAY},
        "id",
    ),
    _schema("absences", {"id": TEXT, "person_id": PERSON, "day": DAY}, "id"),
    _schema("days", {"id": TEXT, "absence_id": PARENT}, "id"),
]


def _person(number: int, left: str | None, **more: Any) -> list[dict[str, Any]]:
    """Returns the rows of a person who may have left."""
    person, email = str(number), more.get("email", f"{number}@firm.example")
    return [
        _record("persons", id=person, email=email, termination_date=left, trial_period_end="2015-06-30", salary=5.5),
        _record(
            "contracts",
            id=f"c{number}",
            person_id=person,
            employment_start_date="2015-01-01",
            employment_end_date="2019-12-31",
            amount=7.5,
        ),
        _record("absences", id=f"a{number}", person_id=person, day="2020-01-01"),
        _record("days", id=f"d{number}", absence_id=f"a{number}"),
    ]


def _load(duck: Any, *records: list[dict[str, Any]], **settings: Any) -> None:
    duck.load(*SCHEMAS, *(record for rows in records for record in rows), **settings)


def _retain(duck: Any, rules: dict[str, int], *, dry_run: bool = False) -> Any:
    return retain(ConfiguredTarget(config=duck.config(retention=rules)), dry_run=dry_run, today=TODAY)


def _ids(duck: Any, table: str, condition: str = "true") -> list[str]:
    return [value for (value,) in duck.query(f"SELECT id FROM {table} WHERE {condition} ORDER BY 1")]


def test_columns_of_a_class_are_emptied_after_the_months(duck: Any) -> None:
    _load(duck, _person(1, "2025-12-30"), _person(2, "2025-12-31"), _person(3, None), _person(4, "2026-06-30"))
    dry = _retain(duck, {"pay": 3}, dry_run=True)
    assert _ids(duck, "persons", "salary IS NULL") == []
    report = _retain(duck, {"pay": 3})
    assert sorted((plan.table.name, plan.deleted, plan.mentions) for plan in report.plans if plan.is_changed) == [
        ("contracts", 0, 1),
        ("persons", 0, 1),
    ]
    assert [list(found.lines())[:4] for found in (dry, report)] == [list(report.lines())[:4]] * 2
    assert _ids(duck, "persons", "salary IS NULL") == ["1"]
    assert _ids(duck, "contracts", "amount IS NULL") == ["c1"]
    assert _ids(duck, "absences") == ["a1", "a2", "a3", "a4"]


def test_rows_of_a_table_go_with_those_that_belong_to_them(duck: Any) -> None:
    _load(duck, _person(1, "2020-01-31"), _person(2, None))
    _retain(duck, {"main.absences": 12, "pay": 12})
    assert (_ids(duck, "absences"), _ids(duck, "days")) == (["a2"], ["d2"])
    assert _ids(duck, "contracts", "amount IS NULL") == ["c1"]


def test_who_came_back_keeps_everything(duck: Any) -> None:
    again = [
        _record(
            "contracts",
            id="c9",
            person_id="1",
            employment_start_date="2021-01-01",
            employment_end_date=None,
            amount=1.5,
        )
    ]
    _load(duck, _person(1, "2020-01-31"), again)
    report = _retain(duck, {"pay": 1, "absences": 1})
    assert not any(plan.is_changed for plan in report.plans)


def test_who_is_employed_according_to_another_vendor_keeps_everything(duck: Any) -> None:
    _load(duck, _person(1, "2020-01-31"), _person(2, "2020-01-31"))
    _load(duck, _person(7, None, email="1@FIRM.example"), default_target_schema="other")
    _retain(duck, {"pay": 1})
    assert _ids(duck, "main.persons", "salary IS NULL") == ["2"]
    assert _ids(duck, "other.persons", "salary IS NULL") == []


def test_person_whom_the_vendor_deleted_left_then(duck: Any) -> None:
    _load(duck, _person(1, None), _person(2, None))
    duck.query("ALTER TABLE persons ADD COLUMN _sdc_deleted_at TIMESTAMPTZ")
    duck.query("UPDATE persons SET _sdc_deleted_at = '2024-01-01' WHERE id = '1'")
    _retain(duck, {"pay": 12})
    assert _ids(duck, "persons", "salary IS NULL") == ["1"]


def test_rows_are_deleted_by_their_own_date(duck: Any) -> None:
    new = [_record("absences", id="new", person_id="3", day="2026-03-01")]
    _load(duck, _person(1, None), new)
    _retain(duck, {"main.absences:day": 6})
    assert (_ids(duck, "absences"), _ids(duck, "days")) == (["new"], [])


def test_second_run_finds_nothing_and_leaves_the_file(duck: Any) -> None:
    _load(duck, _person(1, "2020-01-31"))
    inode = duck.path.stat().st_ino
    _retain(duck, {"pay": 1})
    again = duck.path.stat().st_ino
    _retain(duck, {"pay": 1})
    assert inode != again == duck.path.stat().st_ino


def test_emptied_values_leave_the_bytes(duck: Any) -> None:
    schema = _schema("notes", {"id": TEXT, "person_id": PERSON, "text": {**TEXT, "x-protection": "free_text"}}, "id")
    notes = [_record("notes", id=f"n{number}", person_id=str(number), text=f"Marker-of-{number}") for number in (1, 2)]
    duck.load(*SCHEMAS, schema, *_person(1, "2020-01-31"), *_person(2, None), *notes)
    assert b"Marker-of-1" in duck.path.read_bytes()
    _retain(duck, {"free_text": 1})
    found = duck.path.read_bytes()
    assert b"Marker-of-1" not in found
    assert b"Marker-of-2" in found


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({}, "`retention` is missing"),
        ({"payy": 3}, "names 'payy'"),
        ({"main.absences:dayy": 3}, "no column 'dayy'"),
    ],
)
def test_wrong_rules_are_named(duck: Any, rules: dict[str, int], message: str) -> None:
    _load(duck, _person(1, "2020-01-31"))
    with pytest.raises(TargetError, match=message):
        _retain(duck, rules)
