"""The rows of all resources: from the company, generated, or changed by controls."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from hr_sandbox import clock
from hr_sandbox.factorial.fake_values import FakeValues, Pools, Row, find_company_id, list_keys
from hr_sandbox.factorial.rows import BUILDERS
from hr_sandbox.factorial.rows.time_off import list_stats
from hr_sandbox.factorial.tables import load_resources
from hr_sandbox.http.table import RowTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.factorial.tables import Resource

CLOCKS = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440))
# Members that are null in all generated shifts.
UNUSED = (
    *("observations", "half_day", "workplace_id", "time_settings_break_configuration_id"),
    *(f"{way}_location_{part}" for way in ("in", "out") for part in ("latitude", "longitude", "accuracy")),
)
TIMESTAMP_LENGTH = 19  # the length of a timestamp without a fraction
FIRST = 10_000_000  # the first id, above those of the company
YEARS = 5


class Bulk:
    """Shifts that are spread evenly over the days since 1 January five years back."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._people: list[int] = []
        self.rows = 0
        self.first_day = date(company.today.year - YEARS, 1, 1)
        self._days = (company.today - self.first_day).days

    def set_shift_count(self, rows: int) -> None:
        """Sets how many shifts there are."""
        self.rows = rows
        self._people = [row.id for row in self._company.people]

    def find_indexes(self, first: date | None, last: date | None) -> range:
        """Returns the indexes of the shifts in a window. They are ordered by date."""
        start = max(((first or self.first_day) - self.first_day).days, 0)
        end = self._days if last is None else min((last - self.first_day).days + 1, self._days)
        # Round up to the first index on or after each date.
        return range(-(-start * self.rows // self._days), max(-(-end * self.rows // self._days), 0))

    def find_shift(self, number: int) -> Row | None:
        """Returns the shift with this id, or None."""
        return self.make_shift(number - FIRST) if 0 <= number - FIRST < self.rows else None

    def make_shifts(self, places: range) -> Iterator[Row]:
        """Yields the shifts at these indexes."""
        return (self.make_shift(place) for place in places)

    def make_shift(self, place: int) -> Row:
        """Returns the shift at an index."""
        day = self.first_day + timedelta(place * self._days // self.rows)
        minutes = 240 + place % 240
        start = datetime.combine(day, time(6 + place % 6, place % 60))
        end = start + timedelta(minutes=minutes)
        stamp = end.replace(tzinfo=UTC)
        return {
            "company_id": find_company_id(self._company),
            "id": FIRST + place,
            "employee_id": self._people[place % len(self._people)],
            "date": day,
            "reference_date": day,
            "clock_in": start.time(),
            "clock_out": end.time(),
            "clock_in_with_seconds": f"{start.hour:02}:{start.minute:02}:{place % 60:02}",
            "minutes": minutes,
            "in_source": "desktop",
            "out_source": "mobile",
            "location_type": "office",
            "workable": True,
            "created_at": stamp,
            "updated_at": stamp,
            **dict.fromkeys(UNUSED),
        }

    def render_shifts(self, places: range, render: Callable[[list[Row]], list[Row]]) -> Iterator[str]:
        """Yields the shifts at these indexes as JSON, formatted with the first one as a template."""
        if not places:
            return
        body = render([self.make_shift(places[0])])[0]
        template = RowTemplate(body)
        added = int(body["id"]) - FIRST - places[0]  # the offset that the vendor adds to ids
        form = str if isinstance(body["id"], int) else '"{}"'.format
        fraction = (body["created_at"] or body["updated_at"] or "")[TIMESTAMP_LENGTH:]
        for place in places:
            day = (self.first_day + timedelta(place * self._days // self.rows)).isoformat()
            minutes, start = 240 + place % 240, (6 + place % 6) * 60 + place % 60
            clock_in, clock_out = CLOCKS[start], CLOCKS[start + minutes]
            yield template.render_row(
                {
                    "id": form(added + FIRST + place),
                    "employee_id": form(added + self._people[place % len(self._people)]),
                    "clock_in": f'"{clock_in}"',
                    "clock_out": f'"{clock_out}"',
                    "clock_in_with_seconds": f'"{clock_in}:{place % 60:02}"',
                    "minutes": str(minutes),
                    **dict.fromkeys(("date", "reference_date"), f'"{day}"'),
                    **dict.fromkeys(("created_at", "updated_at"), f'"{day}T{clock_out}:00{fraction}"'),
                }
            )


DELETED = "deleted_at"
TOUCHED = ("updated_at", "_updated_at")
HISTORIES = "contracts/contract_version_histories"
SHIFTS, STATS = "attendance/shifts", "timeoff/allowance_stats"
Key = int | str
ListValues = Callable[[Any], Iterable[Hashable]]


def find_row_key(resource: Resource, row: Row) -> Key:
    """Returns the key of a row; for resources without an id, an internal one."""
    key: Key = row[resource.key] if resource.key else row["_key"]
    return key


class Store:
    """The rows of all resources."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.bulk = Bulk(company)
        self._pools = Pools(company)
        self._latest = datetime.combine(company.today, time(), UTC) - timedelta(seconds=1)
        self._changes = 0
        self._cache: dict[str, tuple[tuple[int, int], list[Row]]] = {}
        self._rows_to_count: dict[str, tuple[tuple[int, int], list[Row]]] = {}
        self._indexes: dict[tuple[str, str, ListValues], tuple[list[Row], dict[Hashable, list[int]]]] = {}
        self._source: dict[str, dict[Key, Row]] = {}
        self._stamps: dict[str, dict[Key, Row]] = {}
        self._tombstones: dict[str, dict[Key, Row]] = {}
        self._patches: dict[str, dict[Key, Row]] = {}
        self._deleted: dict[str, set[Key]] = {}

    def list_rows(self, name: str) -> list[Row]:
        """Returns all rows of a resource ordered by id, except generated shifts."""
        version = (self.company.version, self._changes)
        cached = self._cache.get(name)
        if cached is None or (cached[0] != version and (name in BUILDERS or cached[0][1] != version[1])):
            self._cache[name] = cached = (version, self._build_rows(load_resources()[name]))
        return cached[1]

    def index(self, name: str, field: str, list_values: ListValues) -> dict[Hashable, list[int]]:
        """Returns the positions of a resource's rows by the values of a field, which a function lists."""
        rows = self.list_rows(name)
        source, index = self._indexes.get((name, field, list_values), (None, {}))
        if source is not rows:
            index = {}
            for place, row in enumerate(rows):
                for value in list_values(row.get(field)):
                    index.setdefault(value, []).append(place)
            self._indexes[name, field, list_values] = (rows, index)
        return index

    def list_rows_to_count(self, name: str) -> list[Row]:
        """Returns the rows of a resource, perhaps without generated values, which is faster and enough for counts."""
        if name in self._cache:
            return self.list_rows(name)
        version = (self.company.version, self._changes)
        cached = self._rows_to_count.get(name)
        if cached is None or cached[0] != version:
            resource, build = load_resources()[name], BUILDERS.get(name)
            deleted = self._deleted.get(name, set())
            known: Iterable[Row] = build(self.company) if build else _generate_keys(resource)
            rows = [row for row in known if find_row_key(resource, row) not in deleted]
            self._rows_to_count[name] = cached = (version, rows)
        return cached[1]

    def find_row(self, name: str, key: Key) -> Row | None:
        """Returns the row with this key, or None."""
        resource = load_resources()[name]
        if name == SHIFTS and isinstance(key, int) and (row := self.bulk.find_shift(key)):
            return row
        rows = self.list_rows(name)
        index = bisect_left(rows, key, key=lambda row: find_row_key(resource, row))
        return rows[index] if index < len(rows) and find_row_key(resource, rows[index]) == key else None

    def build_rows_of(self, name: str, view: Any) -> list[Row]:  # noqa: ANN401  the company, or a part of it
        """Returns the rows of a part of the company, without those that controls changed at this vendor only."""
        fake_values = self._make_fake_values(load_resources()[name])
        company_id = {"company_id": find_company_id(self.company)}
        return [fake_values.fill_row({**company_id, **row}) for row in BUILDERS[name](view)]

    def list_balances(self, on: date) -> list[Row]:
        """Returns the balances of all employees on a day."""
        fake_values = self._make_fake_values(load_resources()[STATS])
        return sorted(
            (fake_values.fill_row(row) for row in list_stats(self.company, on)), key=lambda row: str(row["id"])
        )

    def edit_row(self, resource: Resource, key: Key, changes: Row) -> None:
        """Changes a row and updates its timestamp."""
        self._stamps.setdefault(resource.name, {})[key] = dict.fromkeys(TOUCHED, _make_present_time(resource))
        self._patches.setdefault(resource.name, {}).setdefault(key, {}).update(changes)
        self._changes += 1

    def delete_row(self, resource: Resource, key: Key) -> None:
        """Deletes a row. Resources with `deleted_at` keep it."""
        if DELETED in resource.fields:
            self.edit_row(resource, key, {DELETED: clock.read_clock(), "_by_trash_bin": True})
            return
        self._deleted.setdefault(resource.name, set()).add(key)
        self._changes += 1

    def _make_fake_values(self, resource: Resource) -> FakeValues:
        return FakeValues(resource, self._pools, self.company.seed, self._latest)

    def _build_rows(self, resource: Resource) -> list[Row]:
        fake_values = self._make_fake_values(resource)
        build = BUILDERS.get(resource.name)
        known: Iterable[Row] = build(self.company) if build else _generate_keys(resource)
        rows = {}
        for row in known:
            if build:
                row.setdefault("company_id", find_company_id(self.company))
            key = find_row_key(resource, row)
            rows[key] = fake_values.fill_row(row, key)
        self._update_timestamps(resource, rows)
        rows.update(self._tombstones.get(resource.name, {}))
        for key, stamps in self._stamps.get(resource.name, {}).items():
            if key in rows:
                # The company's own timestamp may be later.
                rows[key] = {
                    **rows[key],
                    **{name: max(stamps[name], rows[key].get(name) or stamps[name]) for name in stamps},
                }
        for key, changes in self._patches.get(resource.name, {}).items():
            if key in rows:
                rows[key] = {**rows[key], **changes}
        deleted = self._deleted.get(resource.name, set())
        return [rows[key] for key in sorted(rows) if key not in deleted]

    def _update_timestamps(self, resource: Resource, rows: dict[Key, Row]) -> None:
        """Updates the timestamps of rows that changed since they were last built, unless the company has its own."""
        before = self._source.get(resource.name)
        self._source[resource.name] = rows
        if before is None:
            return
        now = _make_present_time(resource)
        stamps = self._stamps.setdefault(resource.name, {})
        touched = [name for name in TOUCHED if name in resource.fields or any(name in row for row in rows.values())]
        for key, row in rows.items():
            old = before.get(key)
            if old != row and all(old is None or old.get(name) == row.get(name) for name in touched):
                stamps[key] = dict.fromkeys(touched, now)
        if DELETED in resource.fields:
            tombstones = self._tombstones.setdefault(resource.name, {})
            for key in before.keys() - rows.keys():
                tombstones[key] = {**before[key], DELETED: now, "updated_at": now, "_by_trash_bin": True}
        elif resource.name == HISTORIES:  # histories are never deleted
            tombstones = self._tombstones.setdefault(resource.name, {})
            tombstones.update({key: before[key] for key in before.keys() - rows.keys()})


def _make_present_time(resource: Resource) -> Any:  # noqa: ANN401  a timestamp, or seconds
    """Returns the present time in the format of the resource's timestamps."""
    field, now = resource.fields.get("updated_at"), clock.read_clock()
    return int(now.timestamp()) if field and field.form == "epoch" else now


def _generate_keys(resource: Resource) -> Iterable[Row]:
    for index, key in enumerate(list_keys(resource.name)):
        yield {resource.key: key} if resource.key else {"_key": f"{index}"}
