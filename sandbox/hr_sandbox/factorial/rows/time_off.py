"""Leaves, allowances and their balances."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.absences import split_into_days
from hr_sandbox.factorial.fake_values import find_company_id, list_keys
from hr_sandbox.factorial.rows.common import builds, find_last_day_away, find_latest_employments, to_cents
from hr_sandbox.factorial.tables import to_api_id
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_chance, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import AbsenceDay
    from hr_sandbox.factorial.rows.common import Row

APPROVED = {"APPROVED": True, "REJECTED": False}
HALVES = {"FIRST_HALF": "beginning_of_day", "SECOND_HALF": "end_of_day"}
IDENTIFIERS = {"PAID_VACATION": "holidays", "SICK_LEAVE": "sick_leave", "PARENTAL_LEAVE": "parental"}
ALLOWANCES = ("timeoff/allowances", 2)  # allowances per person
HOURS = 8
FRENCH = "FR"


@builds("timeoff/leaves")
def list_leaves(company: Company) -> Iterator[Row]:
    """Yields all leaves. Some rejected ones have been deleted."""
    kinds = {row.id: row for row in company.absence_types}
    for row in company.absences:
        person = company.people[row.person_id]
        deleted = row.approval == "REJECTED" and stable_chance(40, "deleted", row.id)
        last = find_last_day_away(row)
        days = list(split_into_days(row, company.today))
        hourly = row.start_half is None
        amount = sum(day.amount for day in days)
        one_half = not hourly and row.start_half == row.end_half
        yield {
            **pick_fields(row, "id", "created_at", "updated_at", employee_id="person_id", description="comment"),
            **pick_fields(row, leave_type_id="type_id"),
            "employee_full_name": f"{person.first_name} {person.last_name}",
            "start_on": row.starts_at.date(),
            "finish_on": last,
            "half_day": HALVES.get(row.start_half or "") if one_half else None,
            "days_taken": amount / HOURS if hourly else amount,
            "reason": None,
            "leave_type_name": kinds[row.type_id].name,
            "approved": APPROVED.get(row.approval),
            "start_time": f"{row.starts_at:%H:%M}" if hourly else None,
            "hours_amount_in_cents": to_cents(amount) if hourly else None,
            "deleted_at": row.updated_at if deleted else None,
            "duration_attributes": {
                "days": amount / HOURS if hourly else amount,
                "hours": amount if hourly else amount * HOURS,
            },
            "duration_by_day_attributes": _split_by_day(days, hourly=hourly),
        }


def _split_by_day(days: list[AbsenceDay], *, hourly: bool) -> Row:
    used = {day.day.isoformat(): day.amount for day in days}
    hours = used if hourly else {day: amount * HOURS for day, amount in used.items()}
    in_days = {day: amount / HOURS for day, amount in used.items()} if hourly else used
    return {
        "workable_units_by_day": {"days": in_days, "hours": hours},
        "used_units_by_day": {"days": in_days, "hours": hours},
    }


@builds("timeoff/leave_types")
def list_leave_types(company: Company) -> Iterator[Row]:
    """Yields leave types."""
    for row in company.absence_types:
        yield {
            **pick_fields(row, "id", "name", translated_name="name"),
            "identifier": IDENTIFIERS.get(row.category, "custom"),
            "half_days_units_enabled": row.unit == "DAILY",
            "payable": not row.category.startswith("UNPAID"),
            "allow_endless": row.category in {"SICK_LEAVE", "PARENTAL_LEAVE"},
        }


@builds("timeoff/policy_assignments")
def list_policy_assignments(company: Company) -> Iterator[Row]:
    """Yields the policy of each employee, from the first day."""
    keys = list_keys("timeoff/policies")
    for row in company.employments:
        policy = keys[row.legal_entity_id % len(keys)]
        yield {
            **pick_fields(row, "id", employee_id="person_id", effective_at="start_date"),
            "timeoff_policy_id": policy,
        }


@builds("timeoff/policy_timelines")
def list_policy_timelines(company: Company) -> Iterator[Row]:
    """Yields the policies of a person over time: one row per person, with the person's own id."""
    names = {key: f"Policy {index + 1}" for index, key in enumerate(list_keys("timeoff/policies"))}
    items: dict[int, list[Row]] = {}
    for row in list_policy_assignments(company):
        assignment = {
            "id": str(to_api_id(row["id"])),
            "timeoff_policy_id": str(to_api_id(row["timeoff_policy_id"])),
            "employee_id": str(to_api_id(row["employee_id"])),
            "effective_at": row["effective_at"].isoformat(),
            "timeoff_policy_name": names[row["timeoff_policy_id"]],
        }
        items.setdefault(row["employee_id"], []).append({"policy_assignment": assignment})
    for person in company.people:
        yield {"id": person.id, "employee_id": person.id, "items": items.get(person.id, [])}


@builds("timeoff/allowance_incidences")
def list_incidences(company: Company) -> Iterator[Row]:
    """Yields corrections of balances. Timestamps are seconds since 1970."""
    keys = list_keys(ALLOWANCES[0])
    for person in company.people:
        for index in range(stable_number("incidences", person.id) % 3):
            stamp = int(person.created_at.timestamp()) + index * 1_000_000
            yield {
                "id": person.id * 10 + index,
                "employee_id": person.id,
                "timeoff_allowance_id": keys[stable_number(person.id, index) % ALLOWANCES[1]],
                "created_at": stamp,
                "updated_at": stamp + stable_number(index, person.id) % 90_000,
            }


@builds("timeoff/allowance_stats")
def list_stats(company: Company, on: date | None = None) -> Iterator[Row]:
    """Yields the balances of active employees on a day, two rows per employee."""
    on = on or company.today
    allowances = [int(key) for key in list_keys(ALLOWANCES[0])][: ALLOWANCES[1]]
    vacation = {row.id for row in company.absence_types if row.category == "PAID_VACATION"}
    for person_id, job in find_latest_employments(company).items():
        if job.end_date is not None and job.end_date < company.today:
            continue
        used = sum(
            day.amount
            for row in company.absences.find_by_owner(person_id)
            if row.type_id in vacation and row.approval == "APPROVED" and row.starts_at.year == on.year
            for day in split_into_days(row, company.today)
            if day.day <= on
        )
        for index, key in enumerate(allowances):
            yield _make_balance(person_id, key, on, used if index == 0 else 0.0)


def _make_balance(person_id: int, allowance: int, on: date, used: float) -> Row:
    carried = stable_number("carried", person_id, allowance) % 11 / 2
    total = 25 + carried
    cycle = {
        "id": f"{person_id}-{on.year}",
        "start_at": f"{on.year}-01-01",
        "end_at": f"{on.year}-12-31",
        "regular_start_at": f"{on.year}-01-01",
        "regular_end_at": f"{on.year}-12-31",
        "allowance_id": str(to_api_id(allowance)),
    }
    left = {"from_cycle_ending_on": f"{on.year - 1}-12-31", "non_expire": False, "total": str(carried), "used": []}
    return {
        "id": f"{to_api_id(person_id)}/{to_api_id(allowance)}/{on}",
        "employee_id": person_id,
        "allowance_id": allowance,
        "year": on.year,
        "cycles": [cycle],
        "cycle_carry_overs": [{**left, "accumulated": str(carried), "expired": "0.0", "taken": "0.0"}],
        "carry_overs": [str(carried)],
        "accumulated_carry_over": str(carried),
        "available_days": str(total - used),
        **dict.fromkeys(("total_accrued_units", "policy_allowance", "prorated_allowance_days"), "25.0"),
        "total": str(total),
        "incidences": "0.0",
        "accrued_incidences": "0.0",
        "available_incidences": "0.0",
        "used_carry_over": "0.0",
        "used_days": str(used),
        "used_units_until_reference_date": str(used),
        "outstanding_units": "0.0",
        "max_balance_cap": None,
        "total_in_decimal": None if stable_chance(10, "decimal", person_id) else str(total),
    }


@builds("timeoff/french_leave_day_counts")
def list_french_counts(company: Company) -> Iterator[Row]:
    """Yields the days that leaves in France count."""
    french = {row.id for row in company.legal_entities if row.country == FRENCH}
    people = {row.person_id for row in company.employments if row.legal_entity_id in french}
    for row in list_leaves(company):
        if row["employee_id"] in people and row["start_time"] is None:
            yield {
                "leave_id": row["id"],
                "amount": row["days_taken"],
                "unit": "days",
                "_employee_id": row["employee_id"],
                "_start_on": row["start_on"],
                "_finish_on": row["finish_on"],
                "_deleted": row["deleted_at"] is not None,
            }


@builds("employee_updates/absences")
def list_updates(company: Company) -> Iterator[Row]:
    """Yields recent leaves for bookkeepers."""
    since = company.today - timedelta(120)
    for row in list_leaves(company):
        if row["start_on"] >= since and row["approved"]:
            names = ("employee_id", "employee_full_name", "approved", "description", "half_day", "leave_type_id")
            yield {
                "id": row["id"],
                **{name: row[name] for name in names},
                "start_on": row["created_at"].replace(hour=0, minute=0, second=0),
                "leave_type_name": row["leave_type_name"],
                "hours_amount_in_cents": row["hours_amount_in_cents"],
            }


@builds("timeoff/blocked_periods")
def list_blocked_periods(company: Company) -> Iterator[Row]:
    """Yields periods in which leave is not allowed."""
    for key in list_keys("timeoff/blocked_periods"):
        yield {"id": key, "company_id": find_company_id(company)}
