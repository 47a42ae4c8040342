"""Additional pay, contract types and templates, and notifications for bookkeepers."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.factorial.id_pools import COMPANY, keys_of
from hr_sandbox.factorial.ids import to_api_id
from hr_sandbox.factorial.rows.common import builds, cents, minor
from hr_sandbox.factorial.rows.contracts import BASE, RAISES
from hr_sandbox.http.render import pick_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.factorial.rows.common import Row


@builds("contracts/compensations")
def compensations(company: Company) -> Iterator[Row]:
    """Yield additional compensations."""
    kinds = {kind.id: kind for kind in company.compensation_types}
    stints = {row.person_id: row.id for row in company.employments}
    for row in company.compensations:
        kind = kinds[row.type_id]
        if kind.category not in BASE:
            yield {
                **pick_fields(row, "id", "currency", starts_on="effective_from", first_payment_on="effective_from"),
                "contract_version_id": stints.get(row.person_id),
                "amount": minor(row.amount, row.currency),
                "unit": "money",
                "compensation_type": "fixed",
                "calculation": "current_period",
                "description": kind.name,
                "recurrence": "monthly" if row.interval else "once",
            }


@builds("payroll/supplements")
def supplements(company: Company) -> Iterator[Row]:
    """Yield one-time payments."""
    kinds = {kind.id for kind in company.compensation_types if kind.category == "ONE_TIME"}
    for row in company.compensations:
        if row.type_id in kinds:
            yield {
                **pick_fields(row, "id", "currency", "legal_entity_id", employee_id="person_id"),
                **pick_fields(row, contracts_compensation_id="id", effective_on="effective_from"),
                "amount_in_cents": minor(row.amount, row.currency),
                "unit": "money",
                "created_at": datetime.combine(row.effective_from, time(7), UTC),
            }


@builds("contracts/materialized_templates")
def templates(company: Company) -> Iterator[Row]:
    """Yield the contract fields of the company, a country or a legal entity."""
    home = str(to_api_id(COMPANY))
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
    """Declare the contract types of a country. The last third is archived."""

    @builds(resource)
    def build(_company: Company) -> Iterator[Row]:
        keys = keys_of(resource)
        for index, key in enumerate(keys):
            yield {"id": key, "_archived": index >= len(keys) * 2 // 3}


for _country in ("french", "german", "portuguese", "spanish"):
    declare_contract_types(f"contracts/{_country}_contract_types")


@builds("employee_updates/terminations")
def terminations(company: Company) -> Iterator[Row]:
    """Yield terminations for bookkeepers."""
    for row in company.employments:
        if row.termination:
            yield {
                **pick_fields(row, "id", "legal_entity_id", employee_id="person_id", contract_end_date="end_date"),
                "terminated_on": row.termination.ends_on,
                "termination_reason": row.termination.reason,
            }


@builds("employee_updates/new_hires")
def new_hires(company: Company) -> Iterator[Row]:
    """Yield the hires of the last two years for bookkeepers."""
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
                "working_hours": cents(row.weekly_working_hours),
            }
