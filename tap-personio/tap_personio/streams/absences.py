"""Absences and their types."""

from __future__ import annotations

from singer_rest import ChangedSince, Children

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


class AbsencePeriodBreakdowns(PersonioStream):
    """One row per day of an absence, with its duration. Right: personio:absences:read."""

    name = "absence_period_breakdowns"
    path = "/v2/absence-periods/{absence_period_id}/breakdowns"
    primary_keys = ("absence_period_id", "date")
    replication_key = "absence_period_updated_at"
    slices = Children("absence_periods", "absence_period_id", changed="absence_period_updated_at")
    page_size = 28
    optional = True  # a request per absence, ten a second
