"""Locations, legal entities, cost centers, the job catalog and finance records."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.factorial.fake_values import list_keys
from hr_sandbox.factorial.rows.common import builds, find_latest_employments, to_cents
from hr_sandbox.factorial.rows.working_time import INTEGRATION
from hr_sandbox.factorial.tables import to_api_id
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_choice, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.people import Job
    from hr_sandbox.factorial.rows.common import Row

ROOT = "jobcatalog_treeroot-1"
SHARE = 10_000  # a membership's id is the employment's id and the cost center's id
CODES = "payroll_integrations_base/codes"
INTEGRATIONS = ("datev", "datev", "datev_lug_api", "sage100", "silae", "a3nom")
VENDOR, CLIENT = "vendor", "client"
STATUSES = ("enabled", "enabled", "disabled", "deleted")


@builds("companies/legal_entities")
def list_legal_entities(company: Company) -> Iterator[Row]:
    """Yields legal entities."""
    for row in company.legal_entities:
        yield {
            **pick_fields(row, "id", "currency", legal_name="name"),
            "country": row.country.lower(),
            "siret": "73282932000074" if row.country == "FR" else None,
        }


@builds("locations/locations")
def list_locations(company: Company) -> Iterator[Row]:
    """Yields offices."""
    for index, row in enumerate(company.offices):
        yield {
            **pick_fields(row, "id", "name", "timezone", "city"),
            "main": index == 0,
            "country": row.country.lower(),
            "siret": "73282932000074" if row.country == "FR" else None,
        }


@builds("finance/cost_centers")
def list_cost_centers(company: Company) -> Iterator[Row]:
    """Yields cost centers."""
    current: dict[int, int] = {}
    ever: dict[int, set[int]] = {}
    for job in find_latest_employments(company).values():
        if job.end_date is None or job.end_date >= company.today:
            for number, _ in job.cost_centers:
                current[number] = current.get(number, 0) + 1
    for job in company.employments:
        for number, _ in job.cost_centers:
            ever.setdefault(number, set()).add(job.person_id)
    for row in company.cost_centers:
        yield {
            **pick_fields(row, "id", "name"),
            "active_employees_count": current.get(row.id, 0),
            "historical_employees_count": len(ever.get(row.id, ())),
            "status": "active",
            "deactivation_date": None,
        }


@builds("finance/cost_center_memberships")
def list_cost_center_memberships(company: Company) -> Iterator[Row]:
    """Yields the cost centers of employees, with start dates."""
    for row in company.employments:
        for number, share in row.cost_centers:
            yield {
                "id": row.id * SHARE + number,
                **pick_fields(row, "start_date", "end_date", employee_id="person_id"),
                "cost_center_id": number,
                "percentage": share,
                "_active": row.end_date is None or row.end_date >= company.today,
            }


@builds("job_catalog/roles")
def list_roles(company: Company) -> Iterator[Row]:
    """Yields job families."""
    for number, family in _number_families(company).items():
        yield {"id": number, "name": family, "archived": False}


def _number_families(company: Company) -> dict[int, str]:
    families = sorted({row.family for row in company.jobs})
    return {200 + stable_number("family", family) % 100_000: family for family in families}


@builds("job_catalog/levels")
def list_levels(company: Company) -> Iterator[Row]:
    """Yields one level per job."""
    numbers = {family: number for number, family in _number_families(company).items()}
    for index, row in enumerate(company.jobs):
        yield {
            **pick_fields(row, "id", "name", role_name="family"),
            "role_id": numbers[row.family],
            "order": index,
            "archived": False,
            "is_default": row.grade is None,
        }


@builds("job_catalog/tree_nodes")
def list_tree_nodes(company: Company) -> Iterator[Row]:
    """Yields the same as a tree: root, functions, families, roles, levels."""
    stamp = datetime.combine(company.today, time(), UTC).replace(month=1, day=1)
    same = {"created_at": stamp, "updated_at": stamp}
    path = [{"uuid": ROOT, "name": company.name}]
    root = {"uuid": ROOT, "type": "jobcatalog_treeroot", "ancestor_uuid": None, "name": company.name}
    yield {**same, **root, "full_path_to_root": []}
    for number, family in _number_families(company).items():
        above, trail = ROOT, path
        for kind in ("function", "family", "role"):
            uuid = f"jobcatalog_tree{kind}-{number}"
            row = {"uuid": uuid, "type": f"jobcatalog_tree{kind}", "ancestor_uuid": above, "name": family}
            yield {**same, **row, "full_path_to_root": trail}
            above, trail = uuid, [{"uuid": uuid, "name": family}, *trail]
        for job in company.jobs:
            if job.family == family:
                uuid = f"jobcatalog_treelevel-{job.id}"
                row = {"uuid": uuid, "type": "jobcatalog_treelevel", "ancestor_uuid": above, "name": job.name}
                yield {**same, **row, "job_catalog_title": job.name, "full_path_to_root": trail}


@builds("job_catalog/node_attributes")
def list_node_attributes(company: Company) -> Iterator[Row]:
    """Yields the attributes of a level: a salary range, a competency, a device."""
    for job in company.jobs:
        shared = {"_node_uuid": f"jobcatalog_treelevel-{job.id}", "attribute_id": f"{job.id}"}
        values = dict.fromkeys(
            ("value_competency", "value_it_management_asset", "value_salary_range", "value_working_conditions")
        )
        for index, (kind, value) in enumerate(_list_attributes(job)):
            named = {"value_salary_range": value} if kind == "salary_range" else {"value_competency": value}
            yield {**shared, **values, **named, "id": job.id * 10 + index, "type": kind}


def _list_attributes(job: Job) -> Iterator[tuple[str, Row]]:
    if job.grade is not None:
        amounts = {"min": to_cents(job.pay * 0.8), "max": to_cents(job.pay * 1.35), "gross": to_cents(job.pay)}
        yield "salary_range", {"currency": "EUR", "periodicity": "yearly", **amounts, "workplaces": []}
    level = {"id": str(to_api_id(1 + job.id % 5)), "name": f"L{job.id % 5}", "description": ""}
    yield "competency", {"name": job.family, "description": job.name, "level": level}


@builds(CODES)
def list_codes(_company: Company) -> Iterator[Row]:
    """Yields the codes of payroll programs. Some programs have none."""
    for key in list_keys(CODES):
        yield {"id": key, "integration": stable_choice(INTEGRATIONS, "integration", key)}


@builds("finance/contacts")
def list_contacts(_company: Company) -> Iterator[Row]:
    """Yields suppliers and clients. Rows do not contain which one they are."""
    for index, key in enumerate(list_keys("finance/contacts")):
        yield {"id": key, "_contact_type": CLIENT if index % 3 == 0 else VENDOR}


@builds("finance/categories")
def list_categories(_company: Company) -> Iterator[Row]:
    """Yields expense categories with subcategories."""
    keys = list_keys("finance/categories")
    for index, key in enumerate(keys):
        status = STATUSES[index % 4]
        parent = keys[index - 1] if index % 3 == 1 else None
        yield {
            "id": key,
            "parent_category_id": parent,
            "enabled": status == "enabled",
            "_status": status,
            "_level": "category" if parent is None else "subcategory",
            "_type": ("expense", "expense", "mileage", "perdiem")[index % 4],
        }


@builds("integrations/sync_runs")
def list_sync_runs(company: Company) -> Iterator[Row]:
    """Yields the nightly runs of the one integration."""
    keys = list_keys("integrations/sync_runs")
    for index, key in enumerate(keys):
        begun = datetime.combine(company.today - timedelta(len(keys) - index), time(3), UTC)
        yield {
            "id": key,
            "integration_uuid": INTEGRATION,
            "started_at": begun,
            "finished_at": begun + timedelta(minutes=index) if index % 5 else None,
            "_created_at": begun,
        }
