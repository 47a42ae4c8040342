"""Additional pay, contract types and templates, and notifications for bookkeepers."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.factorial.id_pools import COMPANY, keys_of
from hr_sandbox.factorial.ids import to_api_id
from hr_sandbox.factorial.rows.common import COMPANY_COLUMN, cents, minor
from hr_sandbox.factorial.rows.contracts import BASE, RAISES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.factorial.rows.common import Builder, Row


def compensations(company: Company) -> Iterator[Row]:
    """Yield additional compensations."""
    kinds = {kind.id: kind for kind in company.compensation_types}
    stints = {row.person_id: row.id for row in company.employments}
    for row in company.compensations:
        kind = kinds[row.type_id]
        if kind.category not in BASE:
            yield {
                "id": row.id,
                "contract_version_id": stints.get(row.person_id),
                "amount": minor(row.amount, row.currency),
                "currency": row.currency,
                "unit": "money",
                "compensation_type": "fixed",
                "calculation": "current_period",
                "description": kind.name,
                "recurrence": "monthly" if row.interval else "once",
                "starts_on": row.effective_from,
                "first_payment_on": row.effective_from,
            }


def supplements(company: Company) -> Iterator[Row]:
    """Yield one-time payments."""
    kinds = {kind.id for kind in company.compensation_types if kind.category == "ONE_TIME"}
    for row in company.compensations:
        if row.type_id in kinds:
            yield {
                **COMPANY_COLUMN,
                "id": row.id,
                "employee_id": row.person_id,
                "contracts_compensation_id": row.id,
                "amount_in_cents": minor(row.amount, row.currency),
                "unit": "money",
                "currency": row.currency,
                "effective_on": row.effective_from,
                "legal_entity_id": row.legal_entity_id,
                "created_at": datetime.combine(row.effective_from, time(7), UTC),
            }


def templates(company: Company) -> Iterator[Row]:
    """Yield the contract fields of the company, a country or a legal entity."""
    home = str(to_api_id(COMPANY))
    countries = sorted({row.country.lower() for row in company.legal_entities})
    yield {
        **COMPANY_COLUMN,
        "id": f"{home}-company--",
        "template_type": "company",
        "legal_entity_id": None,
        "country_code": None,
    }
    for code in countries:
        shared = {**COMPANY_COLUMN, "legal_entity_id": None, "country_code": code}
        yield {**shared, "id": f"{home}-country--{code}", "template_type": "country"}
        yield {**shared, "id": f"{home}-contract_type--{code}", "template_type": "contract_type"}
    for row in company.legal_entities:
        code = row.country.lower()
        shared = {**COMPANY_COLUMN, "legal_entity_id": row.id, "country_code": code}
        yield {**shared, "id": f"{home}-legal_entity-{to_api_id(row.id)}-{code}", "template_type": "legal_entity"}


def contract_types(resource: str) -> Builder:
    """Yield the contract types of a country. The last third is archived."""

    def build(_company: Company) -> Iterator[Row]:
        keys = keys_of(resource)
        for index, key in enumerate(keys):
            yield {"id": key, "_archived": index >= len(keys) * 2 // 3}

    return build


def terminations(company: Company) -> Iterator[Row]:
    """Yield terminations for bookkeepers."""
    for row in company.employments:
        if row.termination:
            yield {
                "id": row.id,
                "employee_id": row.person_id,
                "terminated_on": row.termination.ends_on,
                "contract_end_date": row.end_date,
                "termination_reason": row.termination.reason,
                "legal_entity_id": row.legal_entity_id,
            }


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
                "employee_id": person.id,
                "first_name": person.first_name,
                "last_name": person.last_name,
                "work_email": person.email,
                "job_title": row.title,
                "start_date": row.start_date,
                "contract_effective_date": row.start_date,
                "contract_end_date": row.contract_end_date,
                "manager_id": row.supervisor_id,
                "legal_entity_id": row.legal_entity_id,
                "workplace_id": row.office_id,
                "working_hours": cents(row.weekly_working_hours),
            }


COUNTRIES = ("french", "german", "portuguese", "spanish")
BUILDERS: dict[str, Builder] = {
    "contracts/compensations": compensations,
    "contracts/materialized_templates": templates,
    "payroll/supplements": supplements,
    "employee_updates/terminations": terminations,
    "employee_updates/new_hires": new_hires,
    **{
        f"contracts/{country}_contract_types": contract_types(f"contracts/{country}_contract_types")
        for country in COUNTRIES
    },
}
