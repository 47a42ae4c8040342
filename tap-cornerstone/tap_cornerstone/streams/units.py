"""Organizational units and their types."""

from __future__ import annotations

from singer_rest import PerParent, RecordPath

from tap_cornerstone.client import per_minute
from tap_cornerstone.rest import RestList

ORGANIZATIONS = "/services/api/x/organizations/v1"


class OrganizationalUnits(RestList):
    """One row per organizational unit, also inactive ones; groups are not among them."""

    name = "organizational_units"
    path = f"{ORGANIZATIONS}/ous"
    permission = "the scope ou:read"
    primary_keys = ("id",)
    page_size = 100
    params = {"includeInactive": "true"}  # noqa: RUF012 - read only
    prefetches = False  # a page token lives five minutes
    by_id = RecordPath(f"{ORGANIZATIONS}/ous/{{id}}")
    rate = per_minute(300)


class OuTypes(RestList):
    """One row per type of organizational units."""

    name = "ou_types"
    path = f"{ORGANIZATIONS}/types"
    permission = "the scope outype:read"
    primary_keys = ("id",)
    by_id = RecordPath(f"{ORGANIZATIONS}/types/{{id}}")
    rate = per_minute(300)


class OuLocalizations(RestList):
    """One row per language that an organizational unit has a name in."""

    name = "ou_localizations"
    path = f"{ORGANIZATIONS}/ous/{{ouId}}/localizations"
    permission = "the scope ou:read"
    primary_keys = ("ouId", "language")
    slices = PerParent("organizational_units", "ouId")
    optional = True  # one request per unit
    rate = per_minute(300)
