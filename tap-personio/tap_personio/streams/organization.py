"""The organization: units, workplaces, legal entities, the job catalogue."""

from __future__ import annotations

from singer_rest import ParamValues

from tap_personio.client import ID_FILTER, PersonioStream


class OrgUnits(PersonioStream):
    """One row per department or team.

    Departments and teams are requested separately.
    """

    name = "org_units"
    path = "/v2/org-units"
    permission = "personio:org-units:read"
    primary_keys = ("type", "id")  # ids are unique per type only
    slices = ParamValues("type", "department", "team", column="type")
    page_size = 100
    params = {"include_parent_chain": "true"}  # noqa: RUF012 - read only


class CostCenters(PersonioStream):
    """One row per cost center."""

    name = "cost_centers"
    path = "/v2/cost-centers"
    permission = "personio:cost-centers:read"
    primary_keys = ("id",)
    page_size = 100
    by_id = ID_FILTER


class Workplaces(PersonioStream):
    """One row per workplace, formerly office."""

    name = "workplaces"
    path = "/v2/workplaces"
    permission = "personio:workplaces:read"
    primary_keys = ("id",)
    page_size = 100
    by_id = ID_FILTER


class LegalEntities(PersonioStream):
    """One row per legal entity."""

    name = "legal_entities"
    path = "/v2/legal-entities"
    permission = "personio:legal-entities:read"
    primary_keys = ("id",)
    page_size = 100
    by_id = ID_FILTER


class Jobs(PersonioStream):
    """One row per job of the catalogue; openings are in recruiting_jobs."""

    name = "jobs"
    path = "/v2/jobs"
    permission = "personio:jobs:read"
    primary_keys = ("id",)
    page_size = 100
    by_id = ID_FILTER


class SalaryBands(PersonioStream):
    """One row per salary band."""

    name = "salary_bands"
    path = "/v2/salary-bands"
    permission = "personio:salary-bands:read"
    primary_keys = ("id",)
    page_size = 100
    by_id = ID_FILTER
