"""Absences and their types."""

from __future__ import annotations

from singer_rest import ChangedSince

from tap_personio.client import PersonioStream


class AbsenceTypes(PersonioStream):
    """One row per type of absence. Right: personio:absences:read."""

    name = "absence_types"
    path = "/v2/absence-types"
    primary_keys = ("id",)
    page_size = 100


class AbsencePeriods(PersonioStream):
    """One row per absence of a person, planned ones too. Right: personio:absences:read."""

    name = "absence_periods"
    path = "/v2/absence-periods"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_at.gte")
    page_size = 100
