"""What came of a run: the rows of a DuckDB file beside those that should be there, and what the logs say."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import duckdb

from faults.vendors import Key, Row, Vendor, key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

SCHEMA = "hr"
DELETED = "_sdc_deleted_at"
LOUD = re.compile(r"\| (?:WARNING|ERROR|CRITICAL) *\| [^|]*\| (.*)")


class Verdict(Enum):
    """What a trial showed. The last four are failures of the project."""

    EXACT = "exact"
    IN_EXTRA = "in `_extra`"
    REJECTED = "rejected with a sentence"
    ALOUD = "failed aloud"
    LOGIN = "new login needed, said so"
    SILENT = "wrong without a word"
    HANG = "hang"
    UNREPAIRED = "not repaired by the next run"
    BROKEN = "other promise broken"


FAILURES = (Verdict.SILENT, Verdict.HANG, Verdict.UNREPAIRED, Verdict.BROKEN)


@dataclass
class Difference:
    """How the live rows of a stream differ from those that should be there; keys of each.

    Args:
        missing: Not there at all.
        deleted: There, but marked as deleted.
        extra: There, but should not be.
        changed: There with other values.
    """

    missing: list[Key] = field(default_factory=list)
    deleted: list[Key] = field(default_factory=list)
    extra: list[Key] = field(default_factory=list)
    changed: list[Key] = field(default_factory=list)

    def __and__(self, other: Difference) -> Difference:
        """What both tell of: a row that is one way or the other is no difference."""
        return Difference(
            *(list({*mine} & {*(key for part in other.parts() for key in part)}) for mine in self.parts())
        )

    def parts(self) -> tuple[list[Key], ...]:
        """The keys of each kind."""
        return self.missing, self.deleted, self.extra, self.changed

    def __bool__(self) -> bool:
        return bool(self.missing or self.deleted or self.extra or self.changed)

    def __str__(self) -> str:
        parts = {
            "missing": self.missing,
            "wrongly deleted": self.deleted,
            "left live": self.extra,
            "changed": self.changed,
        }
        return ", ".join(f"{len(keys)} {name} (such as {min(keys)})" for name, keys in parts.items() if keys)


Differences = dict[str, Difference]


def told(differences: Mapping[str, Difference]) -> str:
    """All of it in words."""
    return "; ".join(f"{stream}: {difference}" for stream, difference in differences.items())


def rows_of(database: Path, stream: str) -> list[Row]:
    """A table's rows, nested values decoded; none where there is no table."""
    if not database.exists():
        return []
    with _opened(database) as connection:
        return _rows(connection, f'"{SCHEMA}"."{stream}"')


def live(rows: Iterable[Row]) -> list[Row]:
    """Those that are not marked as deleted."""
    return [row for row in rows if row.get(DELETED) is None]


def state_of(database: Path) -> dict[str, Any] | None:
    """The state that the loader committed with the rows."""
    if not database.exists():
        return None
    with _opened(database) as connection:
        try:
            found = connection.execute(f'SELECT state FROM "{SCHEMA}"._singer_state').fetchall()
        except duckdb.CatalogException:
            return None
    return dict(json.loads(found[0][0])) if found else None


def compared_with_sandbox(
    vendor: Vendor, keys: Mapping[str, Sequence[str]], bodies: Mapping[str, list[Row]], database: Path
) -> Differences:
    """Compare every row and value of some streams with what the sandbox says.

    Args:
        vendor: Whose sandbox.
        keys: Primary keys by stream.
        bodies: What the sandbox has, by stream.
        database: The DuckDB file.
    """
    found = {}
    for stream, names in keys.items():
        rows = vendor.emitted(stream, bodies[stream])
        table = rows_of(database, stream)
        if stream == "bulk_import_reports":  # warnings and errors are told once more, apart; the sandbox counts lines
            table = [row for row in table if row["kind"] == "report"]
        if difference := _difference(vendor, stream, names, rows, table):
            found[stream] = difference
    return found


def _difference(vendor: Vendor, stream: str, names: Sequence[str], rows: list[Row], table: list[Row]) -> Difference:
    if not names:
        names = sorted({name for row in rows for name in row})
    expected = {key_of(names, row): row for row in rows}
    there = {key_of(names, row): row for row in live(table)}
    gone = {key_of(names, row) for row in table} - there.keys()
    missing = expected.keys() - there.keys()
    return Difference(
        missing=list(missing - gone),
        deleted=list(missing & gone),
        extra=list(there.keys() - expected.keys()),
        changed=[key for key, row in expected.items() if key in there and vendor.differs(stream, row, there[key])],
    )


def compared(reference: Path, database: Path, keys: Mapping[str, Sequence[str]]) -> Differences:
    """Compare the live rows of some streams with those of another file, which is known to be right."""
    wanted, got = _reference_prints(reference), prints(database)
    return {
        stream: difference
        for stream, names in keys.items()
        if wanted.get(stream) != got.get(stream)
        and (difference := _detailed(names, rows_of(reference, stream), rows_of(database, stream)))
    }


Print = tuple[tuple[tuple[str, str], ...], int, int]
"""Columns with their types, how many rows are live, and what they come to."""


def prints(database: Path, schema: str = SCHEMA) -> dict[str, Print]:
    """What tells tables apart whose live rows are not the very same, by stream."""
    if not database.exists():
        return {}
    columns: dict[str, list[tuple[str, str]]] = {}
    with _opened(database) as connection:
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


_reference_prints = functools.cache(prints)


def _opened(database: Path) -> duckdb.DuckDBPyConnection:
    # A trial's tables are small, and the machine has other things to do.
    return duckdb.connect(database, read_only=True, config={"threads": 1})


def _detailed(names: Sequence[str], reference: list[Row], table: list[Row]) -> Difference:
    wanted = live(reference)
    if not names:  # rows without a key may come twice where a run was interrupted
        names = sorted({name for row in wanted for name in row if not name.startswith("_sdc_")})
    expected = {key_of(names, row): _own(row) for row in wanted}
    there = {key_of(names, row): _own(row) for row in live(table)}
    gone = {key_of(names, row) for row in table} - there.keys()
    missing = expected.keys() - there.keys()
    return Difference(
        missing=list(missing - gone),
        deleted=list(missing & gone),
        extra=list(there.keys() - expected.keys()),
        changed=[key for key, row in expected.items() if key in there and not _agree(row, there[key])],
    )


def _own(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("_sdc_")}


def _agree(wanted: Row, got: Row) -> bool:
    """Whether two rows say the same; a column that one of them lacks is one without a value."""
    return all(key_of([name], wanted) == key_of([name], got) for name in wanted.keys() | got.keys())


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    try:
        relation = connection.sql(f"FROM {table}")
    except duckdb.CatalogException:
        return []
    nested = {name for name, kind in zip(relation.columns, relation.types, strict=True) if str(kind) == "JSON"}
    return [
        {
            name: json.loads(value) if name in nested and value is not None else value
            for name, value in zip(relation.columns, row, strict=True)
        }
        for row in relation.fetchall()
    ]


def loud_lines(log: str) -> list[str]:
    """The warnings and errors of a log."""
    return LOUD.findall(log)


def shape(line: str) -> str:
    """A line without its numbers, to know it again."""
    return re.sub(r"\d+(\.\d+)?", "#", line)


def named(streams: Collection[str], log: str, usual: Collection[str] = ()) -> set[str]:
    """Which streams warnings or errors name.

    Args:
        streams: Those that are looked for.
        log: What tap and loader wrote.
        usual: Shapes of lines that a run without any fault writes, too: they say nothing.
    """
    lines = [line for line in loud_lines(log) if shape(line) not in usual]
    words = Counter(word for line in lines for word in re.findall(r"[\w-]+", line))
    return {stream for stream in streams if words[stream]}
