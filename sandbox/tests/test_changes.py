"""Changes of the company report exactly what they did."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hr_sandbox.company import Company, build_company
from hr_sandbox.company.changes import Changes
from hr_sandbox.company.fields import ChangeError
from hr_sandbox.company.model.company import key_of

TODAY = date(2026, 6, 17)
NOW = datetime(2026, 6, 17, 12, tzinfo=UTC)


@pytest.fixture
def company() -> Company:
    return build_company(20, 7, TODAY)


@pytest.fixture
def changes(company: Company) -> Changes:
    return Changes(company, lambda: NOW)


def rows_by_key(company: Company) -> dict[tuple[str, int], str]:
    events = ("webhook_event", "webhook_activity")
    tables = [table for table in company.tables() if table.kind not in events]
    return {(table.kind, row.id): repr(row) for table in tables for row in table}


def changes_between(before: dict[Any, str], after: dict[Any, str]) -> set[tuple[str, Any]]:
    return (
        {("deleted", key) for key in before.keys() - after.keys()}
        | {("created", key) for key in after.keys() - before.keys()}
        | {("updated", key) for key in after.keys() & before.keys() if before[key] != after[key]}
    )


def reported_changes(done: list[Any]) -> set[tuple[str, Any]]:
    return {(change.action, (change.kind, change.number)) for change in done}


def test_hire_adds_a_person_an_employment_and_a_compensation(company: Company, changes: Changes) -> None:
    before, version = rows_by_key(company), company.version
    done = changes.hire(date(2026, 7, 1), last_name="Ωmega")
    assert reported_changes(done) == changes_between(before, rows_by_key(company))
    assert [change.kind for change in done] == ["person", "employment", "compensation"]
    person = company.people[done[0].number]
    assert (person.last_name, person.created_at, person.updated_at) == ("Ωmega", NOW, NOW)
    assert company.employments.find_by_owner(person.id)[0].status == "ONBOARDING"
    assert company.version > version


def test_terminate_ends_the_employment_and_deletes_later_absences(company: Company, changes: Changes) -> None:
    before = rows_by_key(company)
    done = changes.terminate(day=date(2026, 6, 1))
    assert reported_changes(done) == changes_between(before, rows_by_key(company))
    employment = company.employments[done[0].number]
    assert (employment.status, employment.end_date, employment.updated_at) == ("INACTIVE", date(2026, 6, 1), NOW)
    assert company.people[employment.person_id].updated_at < NOW
    assert not any(
        row.starts_at.date() > date(2026, 6, 1) for row in company.absences.find_by_owner(employment.person_id)
    )
    with pytest.raises(ChangeError):
        changes.terminate(str(employment.person_id))


def test_an_edit_updates_only_the_record(company: Company, changes: Changes) -> None:
    before = rows_by_key(company)
    employment = next(iter(company.employments))
    done = changes.edit("employment", employment.uuid, "title", "Chief")
    assert (
        reported_changes(done)
        == changes_between(before, rows_by_key(company))
        == {("updated", ("employment", employment.id))}
    )
    assert (employment.title, employment.updated_at) == ("Chief", NOW)


@pytest.mark.parametrize(
    ("kind", "field", "value", "held"),
    [
        ("person", "last_name", "Ω", "Ω"),
        ("person", "attributes.city", "Ωresund", None),
        ("person", "attributes.dynamic_20417", 5, None),
        ("person", "attributes.city", None, None),
        ("person", "updated_at", "2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("employment", "end_date", "2027-01-31", date(2027, 1, 31)),
        ("employment", "end_date", None, None),
        ("employment", "weekly_working_hours", 12.5, 12.5),
        ("absence_period", "ends_at", "2026-01-02T00:00:00", datetime(2026, 1, 2)),  # noqa: DTZ001  local
        ("compensation", "amount", 1, 1),
        ("team", "name", "Ω", "Ω"),
        ("office", "name", "Ω", "Ω"),
        ("attendance_period", "ends_at", None, None),
        ("attendance_period", "comment", "Ω", "Ω"),
        ("project", "billable", False, False),
    ],
)
def test_edit_sets_a_field(changes: Changes, *, kind: str, field: str, value: Any, held: Any) -> None:
    row: Any = next(iter(changes._tables[kind]))
    changes.edit(kind, getattr(row, "uuid", str(row.id)), field, value)
    if field.startswith("attributes."):
        assert row.attributes.get(field.removeprefix("attributes.")) == value
    else:
        assert getattr(row, field) == held


@pytest.mark.parametrize(
    ("kind", "key", "field", "value"),
    [
        ("unicorn", "1", "name", "x"),
        ("person", "1", "last_name", "x"),
        ("person", None, "id", "5"),
        ("person", None, "shoe_size", 5),
        ("person", None, "last_name", 5),
        ("person", None, "last_name", None),
        ("person", None, "updated_at", "yesterday"),
        ("person", None, "attributes.shoe_size", 5),
        ("person", None, "attributes.dynamic_20417", "five"),
        ("employment", None, "end_date", "31.01.2027"),
        ("employment", None, "person_id", 9603),
        ("employment", None, "office_id", 5),
        ("recruiting_application", None, "stage", "Nirvana"),
        ("recruiting_application", None, "stage", []),
        ("attendance_period", None, "project_id", 5),
        ("employment", None, "weekly_working_hours", True),
        ("person", None, "updated_at", "0001-01-01T00:00:00+14:00"),
        ("employment", None, "person_id", 9999999),
        ("employment", None, "office_id", 1),
        ("employment", None, "office_id", None),
        ("employment", None, "legal_entity_id", 1),
        ("employment", None, "department_id", 1),
        ("employment", None, "team_id", 1),
        ("employment", None, "job_id", 999999),
        ("employment", None, "supervisor_id", 999999),
        ("absence_period", None, "person_id", 1),
        ("absence_period", None, "type_id", 1),
        ("compensation", None, "person_id", 1),
        ("compensation", None, "type_id", 1),
        ("compensation", None, "legal_entity_id", 1),
        ("department", "402", "parent_id", 1),
        ("department", "402", "parent_id", 402),
        ("department", "401", "parent_id", 409),
        ("team", "401", "parent_id", 401),
        ("team", "401", "department_id", 1),
    ],
)
def test_invalid_edits_are_rejected_and_change_nothing(
    company: Company, changes: Changes, *, kind: str, key: str | None, field: str, value: Any
) -> None:
    before = rows_by_key(company)
    if key is None:
        row: Any = next(iter(changes._tables[kind]))
        key = getattr(row, "uuid", str(row.id))
    with pytest.raises(ChangeError):
        changes.edit(kind, key, field, value)
    assert rows_by_key(company) == before


def test_an_owner_cannot_change(company: Company, changes: Changes) -> None:
    other = list(company.people)[-1].id
    for kind in ("employment", "absence_period", "compensation"):
        row: Any = next(row for row in changes._tables[kind] if row.person_id != other)
        before = rows_by_key(company)
        with pytest.raises(ChangeError, match="person_id"):
            changes.edit(kind, row.uuid, "person_id", other)
        assert rows_by_key(company) == before


def test_nobody_supervises_themselves(company: Company, changes: Changes) -> None:
    row = next(row for row in company.employments if row.supervisor_id)
    above = next(stint for stint in company.employments.find_by_owner(row.supervisor_id or 0))
    for stint, supervisor in ((row, row.person_id), (above, row.person_id)):
        with pytest.raises(ChangeError, match="cycle"):
            changes.edit("employment", stint.uuid, "supervisor_id", supervisor)
    changes.edit("employment", row.uuid, "supervisor_id", None)
    changes.edit("employment", above.uuid, "supervisor_id", row.person_id)
    assert above.supervisor_id == row.person_id


@pytest.mark.parametrize(
    ("kind", "field", "table"),
    [
        ("employment", "office_id", "offices"),
        ("employment", "legal_entity_id", "legal_entities"),
        ("employment", "department_id", "departments"),
        ("employment", "team_id", "teams"),
        ("employment", "job_id", "jobs"),
        ("absence_period", "type_id", "absence_types"),
        ("compensation", "type_id", "compensation_types"),
        ("department", "parent_id", "departments"),
        ("team", "department_id", "departments"),
    ],
)
def test_a_reference_can_change(company: Company, changes: Changes, kind: str, field: str, table: str) -> None:
    row: Any = list(changes._tables[kind])[-1]
    other = next(other.id for other in getattr(company, table) if other.id != getattr(row, field))
    changes.edit(kind, getattr(row, "uuid", str(row.id)), field, other)
    assert getattr(row, field) == other


def test_every_reference_is_checked(changes: Changes) -> None:
    for kind, table in changes._tables.items():
        row: Any = next(iter(table))
        for name in [field.name for field in fields(row) if field.name.endswith("_id")]:
            with pytest.raises(ChangeError):
                changes.edit(kind, key_of(row), name, 999999)


def test_deleting_an_absence_deletes_nothing_else(company: Company, changes: Changes) -> None:
    before = rows_by_key(company)
    done = changes.delete("absence_period", next(iter(company.absences)).uuid)
    assert reported_changes(done) == changes_between(before, rows_by_key(company))
    assert len(done) == 1


def test_deleting_a_person_deletes_what_it_owns(company: Company, changes: Changes) -> None:
    for _ in range(3):
        before = rows_by_key(company)
        person = next(iter(company.people))
        done = changes.delete("person", str(person.id))
        assert reported_changes(done) == changes_between(before, rows_by_key(company))
        assert not any(row.supervisor_id == person.id for row in company.employments)
        assert not company.employments.find_by_owner(person.id)
        hired = changes.hire()
        supervisor = company.employments[hired[1].number].supervisor_id
        assert supervisor is None or supervisor in company.people


def test_referenced_records_cannot_be_deleted(company: Company, changes: Changes) -> None:
    kinds: tuple[Any, ...] = (company.departments, company.absence_types, company.offices, company.cost_centers)
    kinds += (company.jobs, company.legal_entities, company.projects)
    for kind, key in ((table.kind, key_of(next(iter(table)))) for table in kinds):
        with pytest.raises(ChangeError, match="referenced"):
            changes.delete(kind, key)
    with pytest.raises(ChangeError):
        changes.delete("person", "1")


def test_an_application_moves_to_another_stage(company: Company, changes: Changes) -> None:
    row = next(iter(company.applications))
    before = len(row.transitions)
    changes.edit("recruiting_application", str(row.id), "stage", "REJECTED")
    assert len(row.transitions) == before + 1
    assert row.transitions[-1].stage.kind == "REJECTED"
    assert (row.transitions[-1].entered_at, row.updated_at) == (NOW, NOW)


def test_terminate_without_an_active_employment_is_rejected(changes: Changes) -> None:
    with pytest.raises(ChangeError):
        changes.terminate(day=TODAY - timedelta(9000))
