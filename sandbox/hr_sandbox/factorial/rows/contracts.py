"""Contracts, their versions, pay, and notifications for bookkeepers."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from hr_sandbox.factorial.fake_values import find_company_id, list_keys
from hr_sandbox.factorial.rows.common import builds, to_cents, to_minor_units
from hr_sandbox.factorial.tables import load_resources, to_api_id
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_chance, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import Compensation, Employment
    from hr_sandbox.factorial.rows.common import Row

RAISES = 100_000  # added to the id of a compensation for the id of its contract version
FULL_TIME = 40
BASE = frozenset({"FIXED_SALARY", "HOURLY"})
LEVEL = "jobcatalog_treelevel-{}"
TYPES = {
    "de": ("de_contract_type_id", "contracts/german_contract_types"),
    "fr": ("fr_contract_type_id", "contracts/french_contract_types"),
}
LOCAL = tuple(
    name
    for name in load_resources()["contracts/contract_versions"].fields
    if name.startswith(("es_", "fr_", "de_", "pt_", "contracts_es_")) and name != "fr_forfait_jours"
)
PERIODS = 4  # ids per contract for its periods


@builds("contracts/contracts")
def list_contracts(company: Company) -> Iterator[Row]:
    """Yields one contract per employment."""
    for row in company.employments:
        yield {
            **pick_fields(row, "id", "updated_at", employee_id="person_id", starts_on="start_date"),
            **pick_fields(row, ends_on="end_date"),
        }


@builds("contracts/contract_versions")
def list_versions(company: Company) -> Iterator[Row]:
    """Yields a version for the beginning of each contract and for each raise."""
    for row in company.employments:
        pay = _find_pay(company, row)
        first = pay[0] if pay and pay[0].effective_from <= row.start_date else None
        yield _make_version(company, row, first, row.id)
        for raised in pay:
            if raised is not first:
                yield _make_version(company, row, raised, raised.id + RAISES)


def _find_pay(company: Company, row: Employment) -> list[Compensation]:
    kinds = {kind.id for kind in company.compensation_types if kind.category in BASE}
    end = row.end_date or date.max
    return sorted(
        (
            pay
            for pay in company.compensations.find_by_owner(row.person_id)
            if pay.type_id in kinds and row.start_date <= pay.effective_from <= end
        ),
        key=lambda pay: (pay.effective_from, pay.id),
    )


def _make_version(company: Company, row: Employment, pay: Compensation | None, number: int) -> Row:
    since = max(pay.effective_from, row.start_date) if pay else row.start_date
    begun = min(datetime.combine(since, time(8), UTC), datetime.combine(company.today, time(), UTC) - timedelta(1))
    country = company.legal_entities[row.legal_entity_id].country.lower()
    share = row.weekly_working_hours / row.full_time_weekly_working_hours
    created = row.created_at if number == row.id else max(begun, row.created_at)
    return {
        **_make_country_fields(country, number),
        "id": number,
        **pick_fields(row, employee_id="person_id", contracts_contract_id="id", starts_on="start_date"),
        **pick_fields(row, job_title="title", job_catalog_level_id="job_id"),
        **pick_fields(row, trial_period_ends_on="probation_end_date"),
        "effective_on": since,
        "ends_on": row.contract_end_date or row.end_date,
        "country": country,
        "job_catalog_tree_node_uuid": LEVEL.format(row.job_id) if row.job_id else None,
        "has_trial_period": row.probation_end_date is not None,
        "salary_amount": to_minor_units(pay.amount, pay.currency) if pay else None,
        "salary_currency": pay.currency if pay else None,
        "salary_frequency": (pay.interval or "HOURLY").lower() if pay else None,
        # Hundredths of an hour, contrary to the description.
        "working_hours": to_cents(row.weekly_working_hours),
        "working_hours_frequency": "week",
        "working_time_percentage_in_cents": to_cents(share * 100),
        "created_at": created,
        "updated_at": max(created, row.updated_at),
    }


def _make_country_fields(country: str, number: int) -> Row:
    """Returns the fields that only apply to one country, as null for the others."""
    found: Row = dict.fromkeys(LOCAL)
    if country in TYPES:
        field, kinds = TYPES[country]
        pool = list_keys(kinds)
        found[field] = pool[number % len(pool)]
    if country == "fr":
        found["fr_coefficient"] = str(150 + number % 9 * 5)
    return found


@builds("contracts/reference_contracts")
def list_reference_contracts(company: Company) -> Iterator[Row]:
    """Yields the current version of each person: else the next one, else the last one."""
    today = company.today
    of_person: dict[int, list[Row]] = {}
    for row in list_versions(company):
        of_person.setdefault(row["employee_id"], []).append(row)
    for rows in of_person.values():
        rows.sort(key=lambda row: (row["effective_on"], row["id"]))
        past = [row for row in rows if row["effective_on"] <= today]
        holding = [row for row in past if row["ends_on"] is None or row["ends_on"] >= today]
        ahead = [row for row in rows if row["effective_on"] > today]
        yield (holding or ahead[:1] or past)[-1]


@builds("contracts/contract_version_histories")
def list_histories(company: Company) -> Iterator[Row]:
    """Yields each version when it was created and when it was updated."""
    for row in list_versions(company):
        same = {
            **row,
            "original_contract_version_id": row["id"],
            "contracts_contract_version_id": row["id"],
            "author": None,
        }
        made = row["created_at"]
        yield {**same, "id": row["id"] * 10, "action_type": "create", "changed_at": made, "updated_at": made}
        touched = row["updated_at"]
        if touched > made:
            stamps = {"changed_at": touched, "created_at": touched, "updated_at": touched}
            # The id depends on the timestamp, so that existing histories never change.
            number = row["id"] * 10 + 1 + int(touched.timestamp()) % 1_000_000_007 * 10_000_000
            yield {**same, "id": number, "action_type": "update", **stamps}


@builds("contracts/contract_version_meta_data")
def list_meta_data(company: Company) -> Iterator[Row]:
    """Yields the origin of each version."""
    for row in list_versions(company):
        action = "create" if row["id"] == row["contracts_contract_id"] else "salary_change"
        yield {"contract_version_id": row["id"], "action_type": action}


@builds("contracts/contract_activity_periods")
def list_activity_periods(company: Company) -> Iterator[Row]:
    """Yields one active period per contract. Some contain a pause."""
    for row in company.employments:
        start, end = row.start_date, row.end_date
        days = [start, end]
        if stable_chance(8, "pause", row.id) and ((end or company.today) - start).days > 200:  # noqa: PLR2004  long enough
            pause = start + timedelta(60 + stable_number("pause", row.id) % 60)
            days = [start, pause, pause + timedelta(30), end]
        for index, (first, last) in enumerate(pairwise(days)):
            until = last - timedelta(1) if last and index < len(days) - 2 else last
            yield {
                "id": row.id * PERIODS + index,
                **pick_fields(row, contract_id="id", employee_id="person_id"),
                "type": "inactivity" if index == 1 else "activity",
                "activity_period_starts_on": first,
                "activity_period_ends_on": until,
            }


@builds("contracts/compensations")
def list_compensations(company: Company) -> Iterator[Row]:
    """Yields additional compensations."""
    kinds = {kind.id: kind for kind in company.compensation_types}
    stints = {row.person_id: row.id for row in company.employments}
    for row in company.compensations:
        kind = kinds[row.type_id]
        if kind.category not in BASE:
            yield {
                **pick_fields(row, "id", "currency", starts_on="effective_from", first_payment_on="effective_from"),
                "contract_version_id": stints.get(row.person_id),
                "amount": to_minor_units(row.amount, row.currency),
                "unit": "money",
                "compensation_type": "fixed",
                "calculation": "current_period",
                "description": kind.name,
                "recurrence": "monthly" if row.interval else "once",
            }


@builds("payroll/supplements")
def list_supplements(company: Company) -> Iterator[Row]:
    """Yields one-time payments."""
    kinds = {kind.id for kind in company.compensation_types if kind.category == "ONE_TIME"}
    for row in company.compensations:
        if row.type_id in kinds:
            yield {
                **pick_fields(row, "id", "currency", "legal_entity_id", employee_id="person_id"),
                **pick_fields(row, contracts_compensation_id="id", effective_on="effective_from"),
                "amount_in_cents": to_minor_units(row.amount, row.currency),
                "unit": "money",
                "created_at": datetime.combine(row.effective_from, time(7), UTC),
            }


@builds("contracts/materialized_templates")
def list_templates(company: Company) -> Iterator[Row]:
    """Yields the contract fields of the company, a country or a legal entity."""
    home = str(to_api_id(find_company_id(company)))
    countries = sorted({row.country.lower() for row in company.legal_entities})
    yield {
        "id": f"{home}-company--",
        "template_type": "company",
        "legal_entity_id": None,
        "country_code": None,
    }
    for code in countries:
        shared: Row = {"legal_entity_id": None, "country_code": code}
        yield {**shared, "id": f"{home}-country--{code}", "template_type": "country"}
        yield {**shared, "id": f"{home}-contract_type--{code}", "template_type": "contract_type"}
    for row in company.legal_entities:
        code = row.country.lower()
        shared = {"legal_entity_id": row.id, "country_code": code}
        yield {**shared, "id": f"{home}-legal_entity-{to_api_id(row.id)}-{code}", "template_type": "legal_entity"}


def declare_contract_types(resource: str) -> None:
    """Declares the contract types of a country. The last third is archived."""

    @builds(resource)
    def build(_company: Company) -> Iterator[Row]:
        keys = list_keys(resource)
        for index, key in enumerate(keys):
            yield {"id": key, "_archived": index >= len(keys) * 2 // 3}


for _country in ("french", "german", "portuguese", "spanish"):
    declare_contract_types(f"contracts/{_country}_contract_types")


@builds("employee_updates/terminations")
def list_terminations(company: Company) -> Iterator[Row]:
    """Yields terminations for bookkeepers."""
    for row in company.employments:
        if row.termination:
            yield {
                **pick_fields(row, "id", "legal_entity_id", employee_id="person_id", contract_end_date="end_date"),
                "terminated_on": row.termination.ends_on,
                "termination_reason": row.termination.reason,
            }


@builds("employee_updates/new_hires")
def list_new_hires(company: Company) -> Iterator[Row]:
    """Yields the hires of the last two years for bookkeepers."""
    since = company.today - timedelta(730)
    seen: set[int] = set()
    for row in company.employments:
        if row.person_id in seen:
            continue
        seen.add(row.person_id)
        person = company.people[row.person_id]
        if row.start_date >= since:
            yield {
                "id": row.id + RAISES,
                **pick_fields(person, "first_name", "last_name", employee_id="id", work_email="email"),
                **pick_fields(row, "start_date", "contract_end_date", "legal_entity_id", job_title="title"),
                **pick_fields(row, contract_effective_date="start_date", manager_id="supervisor_id"),
                **pick_fields(row, workplace_id="office_id"),
                "working_hours": to_cents(row.weekly_working_hours),
            }
