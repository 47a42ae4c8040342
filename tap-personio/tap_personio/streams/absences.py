"""Absences and their types."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from singer_rest import ChangedSince, PerParent, RecordPath
from typing_extensions import override

from tap_personio.client import ID_FILTER, PersonioStream

if TYPE_CHECKING:
    from singer_rest import Page, Record


class AbsenceTypes(PersonioStream):
    """One row per type of absence."""

    name = "absence_types"
    path = "/v2/absence-types"
    permission = "personio:absences:read"
    primary_keys = ("id",)
    page_size = 100
    by_id = RecordPath("/v2/absence-types/{id}")


class AbsencePeriods(PersonioStream):
    """One row per absence of a person, planned ones too."""

    name = "absence_periods"
    path = "/v2/absence-periods"
    permission = "personio:absences:read"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_at.gte")
    page_size = 100
    counted_by = ("time_offs", "absence_periods_v1")  # those by days, and those by hours
    by_id = ID_FILTER


class AbsencePeriodBreakdowns(PersonioStream):
    """One row per day of an absence, or part of it, with its duration."""

    name = "absence_period_breakdowns"
    path = "/v2/absence-periods/{absence_period_id}/breakdowns"
    permission = "personio:absences:read"
    primary_keys = ("absence_period_id", "date", "number")
    replication_key = "absence_period_updated_at"
    slices = PerParent("absence_periods", "absence_period_id", changed="absence_period_updated_at")
    page_size = 28
    optional = True  # one request per absence, ten per second

    @override
    def prepared_records(self, page: Page) -> list[Record]:
        # According to the vendor there is one entry per day; two of one day were seen, and rows have no id.
        numbers: Counter[str] = page.memory.setdefault("numbers", Counter())
        for row in page.records:
            day = str(row.get("date"))
            numbers[day] += 1
            row["number"] = numbers[day]
        return super().prepared_records(page)
