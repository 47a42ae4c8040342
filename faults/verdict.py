"""Verdicts on a run: compares the rows of a DuckDB file with the expected ones and searches the logs."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import duckdb

from faults.vendors import Key, Row, Vendor, key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

SCHEMA = "hr"
DELETED = "_sdc_deleted_at"
WARNING_LINE = re.compile(r"\| (?:WARNING|ERROR|CRITICAL) *\| [^|]*\| (.*)")


class Verdict(Enum):
    """The verdict on a trial. The last four are failures."""

    EXACT = "exact"
    IN_EXTRA = "in `_extra`"
    REJECTED = "rejected with a message"
    REPORTED_FAILURE = "failed and reported"
    LOGIN_NEEDED = "new login needed, reported"
    SILENTLY_WRONG = "silently wrong"
    HANG = "hang"
    NOT_RECOVERED = "not recovered by the next run"
    VIOLATION = "other violation"


FAILURES = (Verdict.SILENTLY_WRONG, Verdict.HANG, Verdict.NOT_RECOVERED, Verdict.VIOLATION)


@dataclass
class Difference:
    """The differences between the live rows of a stream and the expected ones, as keys.

    Args:
        missing: Not in the table.
        deleted: In the table, but marked as deleted.
        extra: In the table, but not expected.
        changed: In the table with other values.
    """

    missing: list[Key] = field(default_factory=list)
    deleted: list[Key] = field(default_factory=list)
    extra: list[Key] = field(default_factory=list)
    changed: list[Key] = field(default_factory=list)

    def __and__(self, other: Difference) -> Difference:
        """Returns the differences in both: a row that matches either reference is correct."""
        return Difference(
            *(
                list({*own} & {*(key for part in other.list_keys_by_type() for key in part)})
                for own in self.list_keys_by_type()
            )
        )

    def list_keys_by_type(self) -> tuple[list[Key], ...]:
        """Returns the keys by type of difference."""
        return self.missing, self.deleted, self.extra, self.changed

    def __bool__(self) -> bool:
        return bool(self.missing or self.deleted or self.extra or self.changed)

    def __str__(self) -> str:
        parts = {
            "missing": self.missing,
            "wrongly deleted": self.deleted,
            "unexpected": self.extra,
            "changed": self.changed,
        }
        return ", ".join(f"{len(keys)} {name} (such as {min(keys)})" for name, keys in parts.items() if keys)


Differences = dict[str, Difference]


def describe_differences(differences: Mapping[str, Difference]) -> str:
    """Describes differences in one line."""
    return "; ".join(f"{stream}: {difference}" for stream, difference in differences.items())


def read_rows(database: Path, stream: str, *, exact: bool = False) -> list[Row]:
    """Reads a table's rows with decoded JSON columns. Empty if there is no table.

    Args:
        database: The DuckDB file.
        stream: Name of the table.
        exact: Whether fractions in JSON columns become Decimals instead of floats.
    """
    if not database.exists():
        return []
    with _open_database(database) as connection:
        return _fetch_rows(connection, f'"{SCHEMA}"."{stream}"', Decimal if exact else float)


def select_live_rows(rows: Iterable[Row]) -> list[Row]:
    """Returns the rows that are not marked as deleted."""
    return [row for row in rows if row.get(DELETED) is None]


def read_state(database: Path) -> dict[str, Any] | None:
    """Reads the state that the loader committed with the rows."""
    if not database.exists():
        return None
    with _open_database(database) as connection:
        try:
            found = connection.execute(f'SELECT state FROM "{SCHEMA}"._singer_state').fetchall()
        except duckdb.CatalogException:
            return None
    return dict(json.loads(found[0][0])) if found else None


def compare_with_sandbox(
    vendor: Vendor, keys: Mapping[str, Sequence[str]], bodies: Mapping[str, list[Row]], database: Path
) -> Differences:
    """Compares every row and value of some streams with the sandbox.

    Args:
        vendor: The vendor.
        keys: Primary keys by stream.
        bodies: The sandbox's records, by stream.
        database: The DuckDB file.
    """
    found = {}
    for stream, names in keys.items():
        rows = vendor.expected_rows(stream, bodies[stream])
        table = read_rows(database, stream)
        if stream == "bulk_import_reports":  # the sandbox does not count the copies of warnings and errors
            table = [row for row in table if row["kind"] == "report"]
        if difference := _compare_with_records(vendor, stream, names, rows, table):
            found[stream] = difference
    return found


def _compare_with_records(
    vendor: Vendor, stream: str, names: Sequence[str], rows: list[Row], table: list[Row]
) -> Difference:
    if not names:
        names = sorted({name for row in rows for name in row})
    expected = {key_of(names, row): row for row in rows}
    loaded = {key_of(names, row): row for row in select_live_rows(table)}
    deleted = {key_of(names, row) for row in table} - loaded.keys()
    missing = expected.keys() - loaded.keys()
    return Difference(
        missing=list(missing - deleted),
        deleted=list(missing & deleted),
        extra=list(loaded.keys() - expected.keys()),
        changed=[key for key, row in expected.items() if key in loaded and vendor.differs(stream, row, loaded[key])],
    )


def compare_with_reference(reference: Path, database: Path, keys: Mapping[str, Sequence[str]]) -> Differences:
    """Compares the live rows of some streams with those of a reference database."""
    expected, actual = _reference_fingerprints(reference), read_fingerprints(database)
    return {
        stream: difference
        for stream, names in keys.items()
        if expected.get(stream) != actual.get(stream)
        and (difference := _compare_rows(names, read_rows(reference, stream), read_rows(database, stream)))
    }


Fingerprint = tuple[tuple[tuple[str, str], ...], int, int]
"""Columns with their types, the number of live rows, and the sum of their hashes."""


def read_fingerprints(database: Path, schema: str = SCHEMA) -> dict[str, Fingerprint]:
    """Fingerprints of the live rows, by table."""
    if not database.exists():
        return {}
    columns: dict[str, list[tuple[str, str]]] = {}
    with _open_database(database) as connection:
        for table, column, kind in connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = ? ORDER BY ALL",
            [schema],
        ).fetchall():
            columns.setdefault(table, []).append((column, kind))
        found = {}
        for table, typed in columns.items():
            own = tuple(pair for pair in typed if not pair[0].startswith("_sdc_"))
            names = ", ".join(f'"{name}"' for name, _ in own)
            where = f"WHERE {DELETED} IS NULL" if len(own) < len(typed) else ""
            count, total = connection.execute(
                f'SELECT count(*), sum(hash({names})::HUGEINT) FROM "{schema}"."{table}" {where}'
            ).fetchall()[0]
            found[table] = (own, count, total or 0)
    return found


_reference_fingerprints = functools.cache(read_fingerprints)


def _open_database(database: Path) -> duckdb.DuckDBPyConnection:
    # The tables are small and other processes need the cores.
    return duckdb.connect(database, read_only=True, config={"threads": 1})


def _compare_rows(names: Sequence[str], reference: list[Row], table: list[Row]) -> Difference:
    reference_rows = select_live_rows(reference)
    if not names:  # interrupted runs may load rows without a key twice
        names = sorted({name for row in reference_rows for name in row if not name.startswith("_sdc_")})
    expected = {key_of(names, row): remove_metadata(row) for row in reference_rows}
    loaded = {key_of(names, row): remove_metadata(row) for row in select_live_rows(table)}
    deleted = {key_of(names, row) for row in table} - loaded.keys()
    missing = expected.keys() - loaded.keys()
    return Difference(
        missing=list(missing - deleted),
        deleted=list(missing & deleted),
        extra=list(loaded.keys() - expected.keys()),
        changed=[key for key, row in expected.items() if key in loaded and not _have_same_values(row, loaded[key])],
    )


def remove_metadata(row: Row) -> Row:
    """Returns a row without the loader's columns."""
    return {name: value for name, value in row.items() if not name.startswith("_sdc_")}


def _have_same_values(first: Row, second: Row) -> bool:
    """Whether two rows have the same values. A missing column counts as null."""
    return all(key_of([name], first) == key_of([name], second) for name in first.keys() | second.keys())


def _fetch_rows(connection: duckdb.DuckDBPyConnection, table: str, parse_float: type[float | Decimal]) -> list[Row]:
    try:
        relation = connection.sql(f"FROM {table}")
    except duckdb.CatalogException:
        return []
    nested = {name for name, kind in zip(relation.columns, relation.types, strict=True) if str(kind) == "JSON"}
    return [
        {
            name: json.loads(value, parse_float=parse_float) if name in nested and value is not None else value
            for name, value in zip(relation.columns, row, strict=True)
        }
        for row in relation.fetchall()
    ]


def find_warning_lines(log: str) -> list[str]:
    """Messages of the warnings and errors in a log."""
    return WARNING_LINE.findall(log)


def remove_numbers(line: str) -> str:
    """Returns a line without its numbers, so that it can be recognized."""
    return re.sub(r"\d+(\.\d+)?", "#", line)


def find_named_streams(streams: Collection[str], log: str, known_warnings: Collection[str] = ()) -> set[str]:
    """Returns the streams that are named in warnings or errors.

    Args:
        streams: Streams to look for.
        log: Log of the tap and the loader.
        known_warnings: Normalized warnings of a run without faults, which are ignored.
    """
    lines = [line for line in find_warning_lines(log) if remove_numbers(line) not in known_warnings]
    words = Counter(word for line in lines for word in re.findall(r"[\w-]+", line))
    return {stream for stream in streams if words[stream]}
