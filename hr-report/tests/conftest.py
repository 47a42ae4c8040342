"""A file with models of invented figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = "<script>alert(1)</script> & \"Söhne\" 'x'"
MONTHS = "(SELECT last_day(DATE '2024-01-01' + INTERVAL (n) MONTH) AS month_end, n FROM range(30) AS months(n))"
GROUPS = f"(VALUES ('total', 'total', 50), ('department', $${HOSTILE}$$, 30), ('department', 'Sales', 20))"
METRICS = {
    "headcount": f"SELECT source, month_end, dimension, member, size + n AS headcount FROM {{sources}}, {MONTHS},"
    f" {GROUPS} AS groups(dimension, member, size)",
    "joiners": f"SELECT source, month_end, 'total' AS dimension, 'total' AS member, 50 AS people, 3 AS joiners"
    f" FROM {{sources}}, {MONTHS}",
    "leavers": f"SELECT source, month_end, 'total' AS dimension, 'total' AS member, 50 AS people, 2 AS leavers"
    f" FROM {{sources}}, {MONTHS}",
    "attrition": f"SELECT source, month_end, 'total' AS dimension, 'total' AS member, 0.1e0 + n / 1000e0 AS attrition,"
    f" 0.05e0 AS voluntary_attrition, 0.02e0 AS first_year_attrition FROM {{sources}}, {MONTHS}",
    "absence_rate": f"SELECT source, month_end, 'total' AS dimension, 'total' AS member, 0.05e0 AS absence_rate,"
    f" 0.02e0 AS sick_rate FROM {{sources}}, {MONTHS}",
    "absence_types": "SELECT source, month_end, dimension, member, people, days FROM {sources},"
    f" {MONTHS}, (VALUES ('total', 'total', 40, 100.0e0), ('category', 'vacation', 30, 60.0e0),"
    " ('category', 'sick', 8, 15.0e0))"
    " AS groups(dimension, member, people, days)",
    "overtime": f"SELECT source, month_end, 'total' AS dimension, 'total' AS member, 8000.0e0 AS worked_hours,"
    f" 7800.0e0 AS planned_hours, 200.0e0 AS overtime_hours, 4.0e0 AS overtime_hours_per_head"
    f" FROM {{sources}}, {MONTHS}",
    "open_positions": "SELECT source, 'department' AS dimension, $$" + HOSTILE + "$$ AS member, 2 AS requisitions,"
    " 3 AS positions, 40.0e0 AS median_days_open FROM {sources}",
    "funnel": f"SELECT source, month_end, 'total' AS dimension, 'total' AS member, 20 AS applications,"
    f" 12 AS reached_screening, 8 AS reached_interview, 3 AS reached_offer, 2 AS hired FROM {{sources}}, {MONTHS}",
    "training_completion": "SELECT source, month_end, 'total' AS dimension, 'total' AS member, 10 AS due,"
    f" 7 AS completed, 6 AS completed_in_time FROM {{sources}}, {MONTHS}",
    "gender_pay_gap": "SELECT source, month_end, 'EUR' AS currency, 'total' AS dimension, 'total' AS member, 25 AS men,"
    f" 25 AS women, 0.08e0 AS median_gap FROM {{sources}}, {MONTHS}",
    "gender_pay_quartiles": "SELECT source, month_end, 'EUR' AS currency, 'quartile' AS dimension,"
    f" 'quartile ' || quarter AS member, 0.5e0 AS share_women FROM {{sources}}, {MONTHS},"
    " range(1, 5) AS quarters(quarter)",
}
DEFINITION = "The definition of `{}`."


def build_file(path: Path, *sources: str) -> Path:
    """Writes the file.

    Args:
        path: Its path.
        sources: The sources with figures.
    """
    rows = ", ".join(f"('{source}')" for source in sources)
    known = f"(VALUES {rows or '(NULL)'}) AS sources(source)"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE SCHEMA hr; CREATE SCHEMA hr_metrics; CREATE TABLE hr.employee (source VARCHAR)")
        connection.execute(
            "CREATE TABLE hr.person_conflict AS"
            " SELECT $key AS person_key, 'name' AS field, 'personio' AS source_a, 'a' AS value_a,"
            " 'factorial' AS source_b, NULL AS value_b WHERE $many",
            {"key": HOSTILE, "many": len(sources) > 1},
        )
        for name, sql in METRICS.items():
            where = "" if rows else " WHERE false"
            connection.execute(f"CREATE TABLE hr_metrics.{name} AS {sql.format(sources=known)}{where}")
            connection.execute(f"COMMENT ON TABLE hr_metrics.{name} IS '{DEFINITION.format(name)}'")
        for source in sources:
            connection.execute(
                f"CREATE SCHEMA tap_{source};"
                f" CREATE TABLE tap_{source}._runs AS SELECT 'r' AS run_id, 'succeeded' AS status,"
                " TIMESTAMPTZ '2026-06-30 00:00Z' AS started_at, TIMESTAMPTZ '2026-06-30 01:02Z' AS ended_at;"
                f" CREATE TABLE tap_{source}._run_streams AS SELECT 'r' AS run_id, 'persons' AS stream,"
                " 250 AS received, 1 AS rejected"
            )
    return path


@pytest.fixture(scope="session")
def build_in_folder() -> Callable[..., Path]:
    """Writes a file with the sources that it is called with."""
    return build_file


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all three sources."""
    return build_file(tmp_path_factory.mktemp("report") / "all.duckdb", "personio", "factorial", "cornerstone")
