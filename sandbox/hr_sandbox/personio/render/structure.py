"""Cost centers, workplaces, legal entities, jobs and salary bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.clock import rfc3339
from hr_sandbox.company.seed_data import FAMILIES
from hr_sandbox.personio.render.common import ref

if TYPE_CHECKING:
    from hr_sandbox.company.model import CostCenter, Job, LegalEntity, Office, SalaryBand
    from hr_sandbox.http.messages import Json
    from hr_sandbox.personio.endpoint import RenderContext

SALARY_BANDS = "personio:salary-bands:read"
MANAGERS = 11  # the lowest grade with management responsibility


def cost_center(row: CostCenter, _view: RenderContext) -> Json:
    """Render a cost center."""
    return {"id": row.uuid, "name": row.name}


def workplace(row: Office, _view: RenderContext) -> Json:
    """Render a workplace, which employments call an office."""
    return {
        "id": str(row.id),
        "name": row.name,
        "address": {"city": row.city, "country": row.country},
        "timezone_id": row.timezone,
    }


def legal_entity(row: LegalEntity, _view: RenderContext) -> Json:
    """Render a legal entity."""
    return {
        "id": str(row.id),
        "name": row.name,
        "country": row.country,
        "currency": row.currency,
        "created_at": rfc3339(row.created_at),
    }


def job(row: Job, context: RenderContext) -> Json:
    """Render a job. Salary bands require their own permission."""
    shown = context.permissions is None or SALARY_BANDS in context.permissions
    bands = context.company.salary_bands.of(row.id) if shown else []
    return {
        "id": row.uuid,
        "name": row.name,
        "job_family": FAMILIES[row.family][0],
        "level": None if row.grade is None else f"L{row.grade - 7}",
        "job_track": None if row.grade is None else ("MANAGER" if row.grade >= MANAGERS else "PROFESSIONAL"),
        "global_grade": row.grade,
        "salary_band_ids": [band.uuid for band in bands],
    }


def salary_band(row: SalaryBand, context: RenderContext) -> Json:
    """Render a salary band."""
    return {
        "id": row.uuid,
        "name": row.name,
        "job": ref(context.company.jobs[row.job_id].uuid),
        "currency": row.currency,
        "interval": "YEARLY",
        "minimum": row.minimum,
        "maximum": row.maximum,
    }
