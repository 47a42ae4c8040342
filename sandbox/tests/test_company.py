"""The company is deterministic and consistent."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hr_sandbox.company import Company, build_company
from hr_sandbox.company.absences import extend_over_days
from hr_sandbox.company.generator import SeededRandom

TODAY = date(2026, 6, 17)


@pytest.fixture(scope="module")
def company() -> Company:
    return build_company(250, 7, TODAY)


def rows_by_table(company: Company) -> dict[str, list[str]]:
    return {table.kind: [repr(row) for row in table] for table in company.tables()}


def test_the_same_seed_gives_the_same_company() -> None:
    assert rows_by_table(build_company(40, 7, TODAY)) == rows_by_table(build_company(40, 7, TODAY))


@pytest.mark.parametrize(("employees", "seed", "today"), [(41, 7, TODAY), (40, 8, TODAY), (40, 7, date(2026, 6, 18))])
def test_other_options_give_another_company(employees: int, seed: int, today: date) -> None:
    assert rows_by_table(build_company(40, 7, TODAY)) != rows_by_table(build_company(employees, seed, today))


def test_the_company_has_its_size_and_varied_records(company: Company) -> None:
    assert len(company.people) == 250
    statuses = Counter(row.status for row in company.employments)
    assert set(statuses) == {"ACTIVE", "INACTIVE", "LEAVE", "ONBOARDING"}
    assert max(len(company.employments.find_by_owner(person.id)) for person in company.people) > 50
    names = "".join(person.first_name + person.last_name for person in company.people)
    assert any(letter in names for letter in "äöüß")
    assert any(ord(letter) > 0x3000 for letter in names)
    assert min(row.start_date for row in company.employments) < date(TODAY.year - 6, 1, 1)
    assert {row.type_id for row in company.compensations} == {row.id for row in company.compensation_types}
    assert {row.type_id for row in company.absences} == {row.id for row in company.absence_types}


def test_ids_are_unique_and_overlap_between_departments_and_teams(company: Company) -> None:
    for table in (company.employments, company.absences, company.compensations):
        assert len({row.uuid for row in table}) == len(table)
    assert {row.id for row in company.departments} & {row.id for row in company.teams}
    numbers = [str(row.id) for row in company.people]
    assert sorted(numbers) != sorted(numbers, key=int)
    assert len({row.email for row in company.people}) == 250


def test_timestamps_are_before_today_and_some_are_shared(company: Company) -> None:
    midnight = datetime.combine(TODAY, time(), UTC)
    stamped: list[Any] = [*company.people, *company.employments, *company.absences, *company.attendances]
    stamped += [*company.projects, *company.openings, *company.candidates, *company.applications, *company.reports]
    assert all(row.created_at < midnight for row in company.documents)
    assert all(row.occurred_at < midnight for row in company.events)
    assert all(row.created_at <= row.updated_at < midnight for row in stamped)
    latest = max(row.updated_at for row in company.people)
    assert sum(row.updated_at == latest for row in company.people) >= 4
    assert len({row.updated_at.year for row in company.people}) > 5


def test_references_are_valid(company: Company) -> None:
    for row in company.employments:
        assert row.person_id in company.people
        assert row.supervisor_id is None or row.supervisor_id in company.people
        assert row.supervisor_id != row.person_id
        assert row.department_id in company.departments
        assert row.team_id is None or company.teams[row.team_id].department_id == row.department_id
        assert row.legal_entity_id == company.offices[row.office_id].legal_entity_id
        assert sum(weight for _, weight in row.cost_centers) == 100
    for row in [*company.departments, *company.teams]:
        assert row.parent_id is None or row.parent_id < row.id
    assert sum(row.supervisor_id is None for row in company.employments) == 1


def test_employments_of_a_person_do_not_overlap(company: Company) -> None:
    for person in company.people:
        stints = company.employments.find_by_owner(person.id)
        for before, after in pairwise(stints):
            assert before.end_date is not None
            assert before.end_date < after.start_date


def test_the_status_depends_on_dates(company: Company) -> None:
    for row in company.employments:
        assert (row.status == "ONBOARDING") == (row.start_date > TODAY)
        assert (row.status == "INACTIVE") == (row.end_date is not None and row.end_date < TODAY)


@pytest.mark.parametrize("seed", [1, 7])
def test_dates_are_plausible(seed: int) -> None:
    company = build_company(250, seed, TODAY)
    wrong: Counter[str] = Counter()
    for row in company.employments:
        end, decided, touched = row.end_date, row.termination and row.termination.decided_on, row.updated_at.date()
        stints = company.employments.find_by_owner(row.supervisor_id) if row.supervisor_id else []
        present = [s for s in stints if s.start_date <= row.start_date <= (s.end_date or row.start_date)]
        wrong["created before the person"] += row.created_at < company.people[row.person_id].created_at
        wrong["touched before it was created"] += row.updated_at < row.created_at
        wrong["termination decided after the last change"] += bool(decided and decided > touched)
        wrong["termination decided before the creation"] += bool(decided and decided < row.created_at.date())
        wrong["inactive since after the last change"] += bool(row.status == "INACTIVE" and end and end > touched)
        for day in filter(None, (row.probation_end_date, row.contract_end_date)):
            wrong["probation or contract beyond the end"] += end is not None and day > end
        open_contract = row.contract_end_date if end is None else None
        wrong["open, but the contract has ended"] += bool(open_contract and open_contract < TODAY)
        wrong["supervisor not there"] += row.supervisor_id is not None and not present
    for absence in company.absences:
        wrong["absence before the person"] += absence.created_at < company.people[absence.person_id].created_at
    assert wrong == Counter()
    assert any(row.end_date and row.contract_end_date for row in company.employments)
    assert any(row.end_date is None and row.contract_end_date for row in company.employments)
    assert any(row.probation_end_date for row in company.employments)


def test_a_change_of_an_employment_does_not_update_the_person(company: Company) -> None:
    latest = {
        row.id: max(stint.updated_at for stint in company.employments.find_by_owner(row.id)) for row in company.people
    }
    assert any(latest[row.id] > row.updated_at for row in company.people)


def test_absences_are_within_employments_and_do_not_overlap(company: Company) -> None:
    far = TODAY + timedelta(366)
    for person in company.people:
        stints = company.employments.find_by_owner(person.id)
        before: datetime | None = None
        for row in company.absences.find_by_owner(person.id):
            ends = row.ends_at or row.starts_at
            assert before is None or before <= row.starts_at
            before = ends
            last = (ends - timedelta(seconds=1)).date() if row.ends_at else row.starts_at.date()
            assert any(s.start_date <= row.starts_at.date() and last <= (s.end_date or far) for s in stints)


def test_absences_have_all_units_approvals_and_halves(company: Company) -> None:
    units = {row.id: row.unit for row in company.absence_types}
    absences = list(company.absences)
    assert any(row.ends_at is None for row in absences)
    assert any(row.starts_at.date() > TODAY + timedelta(200) for row in absences)
    assert {row.approval for row in absences} == {"APPROVED", "PENDING", "REJECTED"}
    assert any(row.start_half == "SECOND_HALF" for row in absences)
    for row in absences:
        hourly = units[row.type_id] == "HOURLY"
        assert hourly == (row.start_half is None)
        if not hourly and row.ends_at:
            assert row.ends_at.time() == time()
    leave = {row.person_id for row in company.employments if row.status == "LEAVE"}
    kinds = {row.id for row in company.absence_types if row.category == "PARENTAL_LEAVE"}
    assert leave == {row.person_id for row in absences if row.type_id in kinds}


def test_absences_in_hours_over_several_days_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    company = build_company(40, 7, TODAY)
    row = next(row for row in company.absences if row.start_half is None and row.ends_at)
    following = replace(row, id=1, uuid="next", starts_at=row.starts_at + timedelta(hours=12), ends_at=None)
    rng = SeededRandom(1, TODAY)
    monkeypatch.setattr(rng, "chance", lambda _: True)
    company.absences.add(following)
    row.ends_at = ends = row.starts_at + timedelta(hours=1)
    extend_over_days(company, rng)
    assert row.ends_at == ends
    company.absences.remove(following)
    extend_over_days(company, rng)
    assert row.ends_at.date() > row.starts_at.date()


def test_pay_follows_employments(company: Company) -> None:
    salaries = {row.id for row in company.compensation_types if row.category in {"FIXED_SALARY", "HOURLY"}}
    within_a_month = 0
    for person in company.people:
        stints = company.employments.find_by_owner(person.id)
        rows = [row for row in company.compensations.find_by_owner(person.id) if row.type_id in salaries]
        assert {row.start_date for row in stints} <= {row.effective_from for row in rows}
        for before, after in pairwise(rows):
            assert before.effective_to is not None
            assert before.effective_to < after.effective_from
            within_a_month += (
                after.effective_from.day > 1 and before.effective_to + timedelta(1) == after.effective_from
            )
    assert within_a_month > 5


def test_two_thousand_people_have_fewer_days_of_attendances() -> None:
    company = build_company(2_000, 1, TODAY)
    assert len(company.people) == 2_000
    assert len(company.teams) > 40
    assert len(company.attendances) < 100_000  # fewer days for more people


def calls_to_build(employees: int) -> int:
    """Returns the number of function calls that build a company, a cost that does not depend on the machine."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        build_company(employees, 7, TODAY)
    finally:
        sys.setprofile(None)
    return calls


def test_twice_the_people_cost_twice_the_work() -> None:
    assert calls_to_build(80) < 2.5 * calls_to_build(40) < 300_000


def test_the_default_size_has_attendances_of_60_days(company: Company) -> None:
    assert 10_000 < len(company.attendances) <= 40_000
    assert len({row.day for row in company.attendances}) == 60


@pytest.mark.parametrize("employees", [10, 11, 25])
def test_small_companies_have_rows_in_every_table(employees: int) -> None:
    company = build_company(employees, 3, TODAY)
    assert len(company.people) == employees
    assert all(len(table) for table in company.tables() if not table.kind.startswith("recruiting_application"))
