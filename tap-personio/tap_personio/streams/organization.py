"""Departments and teams."""

from __future__ import annotations

from singer_rest import Values

from tap_personio.client import PersonioStream


class OrgUnits(PersonioStream):
    """One row per department or team. Right: personio:org-units:read."""

    name = "org_units"
    path = "/v2/org-units"
    primary_keys = ("type", "id")  # an id is unique within its type only
    slices = Values("type", "department", "team")
    page_size = 100
    params = {"include_parent_chain": "true"}  # noqa: RUF012 - read only
