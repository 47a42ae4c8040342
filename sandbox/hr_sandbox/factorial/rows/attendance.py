"""Working time: shifts for work and breaks, and daily totals."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from hr_sandbox.company.dates import SATURDAY
from hr_sandbox.factorial.ids import to_api_id
from hr_sandbox.factorial.rows.common import builds, latest
from hr_sandbox.http.render import pick_fields
from hr_sandbox.stable_random import stable_chance, stable_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model import Attendance
    from hr_sandbox.factorial.rows.common import Row

PLACES = ("office", "work_from_home", "business_trip", None)
AHEAD = 14  # days with estimated times
DAYS = ("workday", "saturday", "sunday")
ANY_DAY = "2000-01-01"  # the date of values that are only a time
WEEKS = 6  # weeks that were reviewed


@builds("attendance/shifts")
def shifts(company: Company) -> Iterator[Row]:
    """Yield all shifts. Times are local to the workplace and have no zone."""
    places = {row.person_id: row.office_id for row in company.employments}
    for row in company.attendances:
        yield _shift(row, places.get(row.person_id))


def _shift(row: Attendance, place: int | None) -> Row:
    number = stable_number("shift", row.id)
    work = row.type == "WORK"
    length = row.ends_at - row.starts_at if row.ends_at else timedelta()
    return {
        **pick_fields(row, "id", "created_at", "updated_at", employee_id="person_id", date="day"),
        **pick_fields(row, reference_date="day", observations="comment"),
        "clock_in": row.starts_at.time(),
        "clock_out": row.ends_at.time() if row.ends_at else None,
        "clock_in_with_seconds": f"{row.starts_at:%H:%M}:{number % 60:02}",
        "minutes": int(length.total_seconds()) // 60,
        "in_source": "automatic" if row.automatic else "desktop",
        "out_source": None if row.ends_at is None else ("automatic" if row.automatic else "mobile"),
        "location_type": PLACES[number % 4],
        "half_day": None if number % 50 else "beginning_of_day",
        "workable": work,
        "workplace_id": place,
        "time_settings_break_configuration_id": None if work else 1 + number % 3,
        **dict.fromkeys(("in_location_latitude", "out_location_latitude"), 48 + number % 900 / 1000),
        **dict.fromkeys(("in_location_longitude", "out_location_longitude"), 11 + number % 800 / 1000),
    }


@builds("attendance/open_shifts")
def open_shifts(company: Company) -> Iterator[Row]:
    """Yield shifts that are still open."""
    for row in company.attendances:
        if row.ends_at is None:
            yield {
                **pick_fields(row, "id", employee_id="person_id", date="day", reference_date="day"),
                "clock_in": f"{ANY_DAY}T{row.starts_at.time().isoformat()}.000Z",
                "clock_out": None,
                "status": "opened",
                "workable": row.type == "WORK",
            }


@builds("attendance/worked_times")
def worked_times(company: Company) -> Iterator[Row]:
    """Yield one row per person and day with working time."""
    minutes: dict[tuple[int, date], int] = {}
    for row in company.attendances:
        if row.ends_at:
            length = int((row.ends_at - row.starts_at).total_seconds()) // 60
            minutes[row.person_id, row.day] = minutes.get((row.person_id, row.day), 0) + (
                length if row.type == "WORK" else -length
            )
    for (person_id, day), total in minutes.items():
        yield {
            "id": f"{to_api_id(person_id)}_{day}",
            "employee_id": person_id,
            "date": day,
            "tracked_minutes": total,
            "multiplied_minutes": total,
            "pending_minutes": 0,
            "minutes": total,
            "time_unit": "minute",
            "day_type": DAYS[max(day.weekday() - SATURDAY + 1, 0)],
            "worked_time_blocks": [_block(person_id, day, total)],
            "_attendable": not stable_chance(5, "attendable", person_id),
        }


def _block(person_id: int, day: date, minutes: int) -> Row:
    return {
        "minutes": minutes,
        "time_type": "regular",
        "extra_hour": False,
        "raw_minutes_in_cents": minutes * 100,
        "equivalent_minutes_in_cents": minutes * 100,
        "pool_type": "payroll",
        "date": day.isoformat(),
        "approved": True,
        "workable": True,
        "employee_id": str(to_api_id(person_id)),
        "time_range_category_id": str(to_api_id(7)),
        "time_range_category_name": "Normal",
    }


@builds("attendance/estimated_times")
def estimated_times(company: Company) -> Iterator[Row]:
    """Yield the planned time of each active person, up to two weeks ahead."""
    first = min((row.day for row in company.attendances), default=company.today)
    for person_id, job in latest(company).items():
        day, last = max(first, job.start_date), company.today + timedelta(AHEAD)
        if job.end_date:
            last = min(last, job.end_date)
        daily = round(job.weekly_working_hours * 12)
        while day <= last:
            expected = daily if day.weekday() < SATURDAY else 0
            yield {
                "id": f"{to_api_id(person_id)}_{day}",
                "employee_id": person_id,
                "date": day,
                "expected_minutes": float(expected),
                "regular_minutes": float(expected),
                "overtime_minutes": 0.0,
                "minutes": float(expected),
                "breaks": [],
                "shifts": [],
                "time_unit": "minute",
                "estimated_half_days": 2 if expected else 0,
                "source": "contract_hours" if expected else "none",
            }
            day += timedelta(1)


@builds("attendance/reviews")
def reviews(company: Company) -> Iterator[Row]:
    """Yield the weekly reviews by managers."""
    monday = company.today - timedelta(company.today.weekday())
    people = sorted({row.person_id for row in company.attendances})
    for index in range(1, WEEKS + 1):
        day = monday - timedelta(7 * index)
        for person_id in people:
            if not stable_chance(30, "review", person_id, index):
                yield {"id": person_id * 100_000 + day.toordinal() % 100_000, "employee_id": person_id, "date": day}
