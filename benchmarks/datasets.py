"""The server's records. They are generated once and written to a file, so that a page is a range of its bytes.

A file holds the records of one data set as a JSON array, one a line; a second file holds the position of each record.
The records are evenly spread over the days of a year, in order.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING

from tap_cornerstone.odata.services import load_shipped

from benchmarks.rows import BEGIN, DAYS, END, FIRST_DAY, SEPARATOR, Rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK = 10_000
FIRST_ID = 2_000_000
NAMES = ("Kundentermin", "Inventur", "Schulung \u00dcberblick", 'a comment of some length, with \\"quotes\\"')
_DAY_TEXTS = [(FIRST_DAY + timedelta(days=day)).isoformat() for day in range(DAYS)]


@dataclass(frozen=True)
class Column:
    """A column that every peer loads.

    Args:
        path: The field in our tap's record, such as ``project.name``.
        source: The field in the vendor's record, such as ``attributes.project.attributes.name``.
        kind: One of ``text``, ``integer``, ``number``, ``boolean``, ``date``, ``timestamp``, ``local`` (a time without
            zone).
    """

    path: str
    source: str
    kind: str


@dataclass(frozen=True)
class Dataset:
    """A stream of one vendor.

    Args:
        name: The name of the stream and of the table.
        tap: The tap.
        describes: What the rows are and how they page, for the report.
        record: Formats the record of a number and a day.
        columns: The columns that every peer loads.
        key: The columns of the primary key.
    """

    name: str
    tap: str
    describes: str
    record: Callable[[int, str], bytes]
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)

    def records_path(self, folder: Path, rows: int) -> Path:
        """Returns the file for the records of a size."""
        return folder / f"{self.name}-{rows}.json"

    def build_rows(self, folder: Path, rows: int) -> Rows:
        """Returns the records of a size, generated if the folder does not hold them yet."""
        path = self.records_path(folder, rows)
        positions = path.with_suffix(".positions")
        if not (positions.exists() and self._is_current(path)):
            folder.mkdir(parents=True, exist_ok=True)
            offsets = array("Q", [len(BEGIN)])
            with path.open("wb") as file:
                file.write(BEGIN)
                for start in range(0, rows, CHUNK):
                    records = [
                        self.record(number, _DAY_TEXTS[number * DAYS // rows])
                        for number in range(start, min(start + CHUNK, rows))
                    ]
                    end = offsets[-1]
                    for record in records:
                        end += len(record) + len(SEPARATOR)
                        offsets.append(end)
                    file.write(SEPARATOR.join(records) + (SEPARATOR if start + CHUNK < rows else END))
            positions.write_bytes(offsets.tobytes())  # last: the files are complete if it exists
        return Rows(path, rows)

    def _is_current(self, path: Path) -> bool:
        """Whether a file begins as it would if it were generated now."""
        beginning = BEGIN + self.record(0, _DAY_TEXTS[0])
        with path.open("rb") as file:
            return file.read(len(beginning)) == beginning


def _uuid_of(number: int) -> str:
    mixed = number * 2654435761 % 2**32
    return f"{mixed:08x}-{mixed % 65536:04x}-4{mixed % 4096:03x}-8{mixed // 4096 % 4096:03x}-{number:012x}"


def _make_attendance(number: int, day: str) -> bytes:
    hour, minute = 6 + number % 6, number % 60
    comment = "null" if number % 3 else f'"{NAMES[number % 4]}"'
    project = (
        f'{{"id":{number % 40 + 1},"type":"Project","attributes":{{"name":"Projekt {number % 40}","active":true}}}}'
        if number % 2
        else "null"
    )
    return (
        f'{{"id":{FIRST_ID + number},"type":"AttendancePeriod","attributes":{{"id_v2":"{_uuid_of(number)}",'
        f'"employee":{9000 + number % 500},"date":"{day}","start_time":"{hour:02}:{minute:02}",'
        f'"end_time":"{hour + 8:02}:{minute:02}","updated_at":"{day}T{hour + 9:02}:{minute:02}:{number % 59:02}+00:00",'
        f'"status":"{("confirmed", "pending", "rejected")[number % 3]}","break":{number % 4 * 15},"comment":{comment},'
        f'"is_holiday":{"true" if number % 31 == 0 else "false"},"is_on_time_off":false,"project":{project}}}}}'
    ).encode()


def _make_period(number: int, day: str) -> bytes:
    hour, minute = 6 + number % 6, number % 60
    comment = "null" if number % 3 else f'"{NAMES[number % 4]}"'
    project = f'{{"id":"{number % 40 + 1}"}}' if number % 2 else "null"
    changed = f"{day}T{hour + 9:02}:{minute:02}:{number % 59:02}Z"
    return (
        f'{{"id":"{_uuid_of(number)}","person":{{"id":"{9000 + number % 500}"}},'
        f'"type":"{("WORK", "BREAK")[number % 2]}",'
        f'"approval":{{"status":"{("CONFIRMED", "PENDING")[number % 5 == 0]}"}},'
        f'"start":{{"date_time":"{day}T{hour:02}:{minute:02}:00"}},'
        f'"end":{{"date_time":"{day}T{hour + 8:02}:{minute:02}:00"}},'
        f'"attribution_date":"{day}","comment":{comment},"project":{project},"is_auto_generated":false,'
        f'"is_holiday":{"true" if number % 31 == 0 else "false"},"is_on_time_off":false,'
        f'"created_at":"{changed}","updated_at":"{changed}"}}'
    ).encode()


def _make_value(kind: str, number: int, place: int) -> str:
    mixed = number * 31 + place * 7
    if mixed % 5 == 0:
        return "null"
    if kind == "timestamp":
        return f'"{_DAY_TEXTS[mixed % DAYS]}T{mixed % 24:02}:{mixed % 60:02}:{number % 60:02}.{number % 1000:03}+00:00"'
    return {
        "text": f'"text {mixed % 1000}"',
        "boolean": "true" if mixed % 2 else "false",
        "number": f"{mixed % 100}.{mixed % 4 * 25:02}",
        "date": f'"{_DAY_TEXTS[mixed % DAYS]}"',
        "integer": str(mixed % 1000),
    }[kind]


def _make_record_formatter(
    columns: tuple[Column, ...], own: Callable[[int, str], dict[str, str]]
) -> Callable[[int, str], bytes]:
    """Returns a function that formats records by the kinds of their columns. `own` returns values for some columns."""
    kinds = [(column.path, column.kind, place) for place, column in enumerate(columns)]

    def record(number: int, day: str) -> bytes:
        special = own(number, day)
        pairs = (f'"{name}":{special.get(name) or _make_value(kind, number, place)}' for name, kind, place in kinds)
        return f"{{{','.join(pairs)}}}".encode()

    return record


def _make_shift_columns() -> tuple[Column, ...]:
    schema = json.loads((files("tap_factorial") / "schemas" / "attendance_shifts.json").read_bytes())
    kinds = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text"}
    formats = {"date": "date", "date-time": "timestamp"}
    return tuple(
        Column(name, name, formats.get(column.get("format", "")) or kinds[column["type"][0]])
        for name, column in schema["properties"].items()
    )


def _make_transcript_columns() -> tuple[Column, ...]:
    (entity_set,) = (one for one in load_shipped()["objects"] if one.name == "transcript_core")
    kinds = {"Int": "integer", "Byte": "integer", "Boolean": "boolean", "Decimal": "number", "DateTime": "timestamp"}
    return tuple(
        Column(name, name, next((kind for start, kind in kinds.items() if start in column.type), "text"))
        for name, column in entity_set.columns.items()
    )


def _make_own_shift_values(number: int, day: str) -> dict[str, str]:
    return {
        "id": f'"{FIRST_ID + number}"',
        "employee_id": f'"{9000 + number % 500}"',
        "date": f'"{day}"',
        "reference_date": f'"{day}"',
    }


def _make_own_transcript_values(number: int, day: str) -> dict[str, str]:
    return {
        "_last_touched_dt_utc": f'"{day}T{number % 24:02}:{number % 60:02}:00.5+00:00"',
        "transc_user_id": str(9000 + number % 5000),
        "transc_object_id": f'"{_uuid_of(number)}"',
        "reg_num": str(1 + number % 3),
    }


_V1 = {
    "id_v2": "text",
    "employee": "integer",
    "date": "date",
    "start_time": "text",
    "end_time": "text",
    "break": "integer",
    "comment": "text",
    "status": "text",
    "is_holiday": "boolean",
    "is_on_time_off": "boolean",
    "updated_at": "timestamp",
}
_V2 = {
    "id": "text",
    "type": "text",
    "person.id": "text",
    "approval.status": "text",
    "start.date_time": "local",
    "end.date_time": "local",
    "attribution_date": "date",
    "comment": "text",
    "project.id": "text",
    "is_auto_generated": "boolean",
    "is_holiday": "boolean",
    "is_on_time_off": "boolean",
    "created_at": "timestamp",
    "updated_at": "timestamp",
}
_SHIFTS, _TRANSCRIPTS = _make_shift_columns(), _make_transcript_columns()

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "attendances",
            "tap-personio",
            "Personio v1 attendances, pages of 200 by offset",
            _make_attendance,
            (
                Column("id", "id", "integer"),
                *(Column(name, f"attributes.{name}", kind) for name, kind in _V1.items()),
                Column("project.id", "attributes.project.id", "integer"),
                Column("project.name", "attributes.project.attributes.name", "text"),
            ),
        ),
        Dataset(
            "attendance_periods",
            "tap-personio",
            "Personio v2 attendance periods, cursor pages of 100 in 12 months",
            _make_period,
            tuple(Column(name, name, kind) for name, kind in _V2.items()),
        ),
        Dataset(
            "attendance_shifts",
            "tap-factorial",
            f"Factorial shifts, {len(_SHIFTS)} fields, one response per week",
            _make_record_formatter(_SHIFTS, _make_own_shift_values),
            _SHIFTS,
        ),
        Dataset(
            "transcript_core",
            "tap-cornerstone",
            f"Cornerstone transcripts, {len(_TRANSCRIPTS)} columns, linked pages",
            _make_record_formatter(_TRANSCRIPTS, _make_own_transcript_values),
            _TRANSCRIPTS,
            key=("transc_user_id", "transc_object_id", "reg_num"),
        ),
    )
}
