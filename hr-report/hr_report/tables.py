"""The page's tables: what was loaded when, and people whom sources disagree about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl
from great_tables import GT

from hr_report.database import descriptions, literal, query
from hr_report.look import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

MOST_PEOPLE = 200
FIELDS = {
    "hire_date": "Hire date",
    "termination_date": "Termination date",
    "name": "Name",
    "manager": "Manager",
}


@dataclass(frozen=True)
class Table:
    """A table with everything that explains it.

    Attributes:
        lead: What it shows.
        tables: The tables it is made from.
        definitions: The models' descriptions of these tables.
        sql: The query that was run.
        html: The table, with all values escaped; empty if there is nothing to show.
        empty: Why it is empty; an empty text if it is not.
        is_long: Whether it is shown by a click only.
    """

    lead: str
    tables: tuple[str, ...]
    sql: str
    html: str
    empty: str
    definitions: dict[str, str] = field(default_factory=dict)
    is_long: bool = False


def rendered(name: str, rows: list[dict[str, Any]], labels: Mapping[str, str], numbers: tuple[str, ...] = ()) -> str:
    """Rows as an HTML table.

    Args:
        name: Its id in the page.
        rows: The rows.
        labels: The columns to show, with their headings.
        numbers: The columns with whole numbers.
    """
    frame = pl.DataFrame([{column: row[column] for column in labels} for row in rows], infer_schema_length=None)
    table = GT(frame, id=name).cols_label(dict(labels)).sub_missing(missing_text="\N{EN DASH}")
    table = table.tab_options(
        table_font_names=[],
        table_background_color="transparent",
        table_font_size="14px",
        table_width="100%",
        table_border_top_style="none",
        column_labels_border_top_style="none",
    )
    if numbers:
        table = table.fmt_integer(columns=list(numbers)).cols_align("right", columns=list(numbers))
    return str(table.as_raw_html())


def loaded_schemas(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The schemas in which the loader keeps its runs."""
    return [
        row["schema_name"]
        for row in query(
            connection,
            "SELECT schema_name FROM duckdb_tables() WHERE table_name IN ('_runs', '_run_streams')"
            " GROUP BY ALL HAVING count(*) = 2 ORDER BY schema_name",
        )
    ]


def stream_runs(schemas: list[str]) -> str:
    """A query for the last run of each stream."""
    parts = []
    for schema in schemas:
        quoted = '"' + schema.replace('"', '""') + '"'
        parts.append(
            f"""SELECT {literal(schema.removeprefix("tap_"))} AS source, stream,
  max(ended_at) FILTER (status = 'succeeded') AS last_success,
  arg_max(status, started_at) AS last_status,
  arg_max(received, started_at) AS received,
  arg_max(rejected, started_at) AS rejected
FROM {quoted}._run_streams
JOIN {quoted}._runs USING (run_id)
GROUP BY stream"""
        )
    return "\nUNION ALL\n".join(parts)


NO_RUNS = "The file does not say when data was loaded: load again with the current version of target-duckdb."


def freshness(connection: duckdb.DuckDBPyConnection) -> Table:
    """What was loaded when, per source."""
    labels = {
        "source": "Source",
        "streams": "Streams",
        "newest": "Newest load (UTC)",
        "oldest": "Oldest stream (UTC)",
        "failing": "Streams that failed",
        "received": "Records of the last loads",
        "rejected": "Rejected",
    }
    sql = """SELECT source, count(*) AS streams,
  strftime(max(last_success), '%Y-%m-%d %H:%M') AS newest,
  strftime(min(last_success), '%Y-%m-%d %H:%M') AS oldest,
  count(*) FILTER (last_success IS NULL OR last_status <> 'succeeded') AS failing,
  CAST(sum(received) AS BIGINT) AS received, CAST(sum(rejected) AS BIGINT) AS rejected
FROM stream_run
GROUP BY source
ORDER BY source"""
    numbers = ("streams", "failing", "received", "rejected")
    lead = "What was loaded when, by source"
    return runs_table(connection, "freshness", lead, sql, labels=labels, numbers=numbers)


def stream_freshness(connection: duckdb.DuckDBPyConnection) -> Table:
    """What was loaded when, per stream; the oldest first."""
    labels = {
        "source": "Source",
        "stream": "Stream",
        "last_success": "Last complete load (UTC)",
        "last_status": "Last run",
        "received": "Records",
        "rejected": "Rejected",
    }
    sql = """SELECT source, stream, strftime(last_success, '%Y-%m-%d %H:%M') AS last_success,
  last_status, received, rejected
FROM stream_run
ORDER BY date_trunc('minute', stream_run.last_success) NULLS FIRST, source, stream"""
    lead, numbers = "All streams, the oldest first", ("received", "rejected")
    found = runs_table(connection, "streams", lead, sql, labels=labels, numbers=numbers)
    return replace(found, is_long=bool(found.tables))


def runs_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    lead: str,
    select: str,
    *,
    labels: Mapping[str, str],
    numbers: tuple[str, ...],
) -> Table:
    """A table about the last run of each stream.

    Args:
        connection: A file with the loader's tables.
        name: Its id in the page.
        lead: What it shows.
        select: The query, which reads `stream_run`: a row per source and stream.
        labels: The columns to show, with their headings.
        numbers: The columns with whole numbers.
    """
    schemas = loaded_schemas(connection)
    if not schemas:
        return Table(lead, (), "", "", NO_RUNS)
    sql = f"WITH stream_run AS (\n{stream_runs(schemas)}\n)\n{select}"
    rows = [{**row, "source": NAMES.get(row["source"], row["source"])} for row in query(connection, sql)]
    tables = tuple(f"{schema}.{table}" for schema in schemas for table in ("_runs", "_run_streams"))
    return Table(lead, tables, sql, rendered(name, rows, labels, numbers) if rows else "", "" if rows else NO_RUNS)


AGREED = "No two sources disagree about a person: either they agree, or only one source was loaded."


def conflicts(connection: duckdb.DuckDBPyConnection) -> Table:
    """Number of people whom two sources disagree about, per field."""
    sql = """SELECT field, source_a, source_b, count(DISTINCT person_key) AS people
FROM hr.person_conflict
GROUP BY ALL
ORDER BY people DESC, field, source_a, source_b"""
    rows = [named(row) for row in query(connection, sql)]
    labels = {"field": "Field", "source_a": "One source", "source_b": "The other", "people": "People"}
    html = rendered("conflicts", rows, labels, ("people",)) if rows else ""
    table = "hr.person_conflict"
    found = query(connection, f"SELECT count(DISTINCT person_key) AS people FROM {table}")[0]["people"]
    lead = f"Sources disagree about {found:,} {'person' if found == 1 else 'people'}"
    definitions = descriptions(connection, [table])
    return Table(lead if rows else "Sources agree", (table,), sql, html, "" if rows else AGREED, definitions)


def conflicting_people(connection: duckdb.DuckDBPyConnection) -> Table:
    """The people whom two sources disagree about, with their values."""
    sql = f"""SELECT person_key, field, source_a, value_a, source_b, value_b
FROM hr.person_conflict
ORDER BY field, person_key, source_a, source_b
LIMIT {MOST_PEOPLE}"""
    rows = [named(row) for row in query(connection, sql)]
    labels = {
        "person_key": "Person",
        "field": "Field",
        "source_a": "One source",
        "value_a": "says",
        "source_b": "The other",
        "value_b": "says instead",
    }
    html = rendered("people", rows, labels) if rows else ""
    lead = f"Who they are (the first {MOST_PEOPLE} rows)" if len(rows) == MOST_PEOPLE else "Who they are"
    return Table(lead, ("hr.person_conflict",), sql, html, "" if rows else AGREED, is_long=True)


def named(row: dict[str, Any]) -> dict[str, Any]:
    """A row of conflicts with names instead of codes."""
    return {
        **row,
        "field": FIELDS.get(row["field"], row["field"]),
        "source_a": NAMES.get(row["source_a"], row["source_a"]),
        "source_b": NAMES.get(row["source_b"], row["source_b"]),
    }
