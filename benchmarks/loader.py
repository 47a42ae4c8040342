"""Measures the speed and memory use of target-duckdb, compared with the published target-duckdb 0.8.0.

    python -m benchmarks.loader [--rows 1000000] [--repeat 3] [--large] [--alone] [--case new --case wide ...]

Everything runs on one core. Every case is run `--repeat` times and the best and slowest times are printed. `--large`
adds a case with ten times as many rows. `--alone` skips the published loader, which is installed into its own folder.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from benchmarks.cases import PUBLISHED
from benchmarks.commands import HOME, set_up
from benchmarks.usage import Usage, run_and_measure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = HOME / "loader"
OURS = [sys.executable, "-m", "target_duckdb"]
STREAMS, ROWS_PER_STREAM = 169, 100
REPEATS = 1000
_DAY = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - written with a Z below

Message = dict[str, Any]


# Messages


def make_schema(stream: str, properties: dict[str, Any]) -> Message:
    """Returns a SCHEMA message with the key `id`."""
    return {"type": "SCHEMA", "stream": stream, "schema": {"properties": properties}, "key_properties": ["id"]}


def make_record(stream: str, values: Message) -> Message:
    """Returns a RECORD message."""
    return {"type": "RECORD", "stream": stream, "record": values, "time_extracted": "2026-01-01T00:00:00.000000Z"}


def _make_nullable(kind: str, **more: str) -> dict[str, Any]:
    return {"type": [kind, "null"], **more}


PROPERTIES = {
    "id": {"type": "integer"},
    "employee_id": _make_nullable("string"),
    "first_name": _make_nullable("string"),
    "email": _make_nullable("string"),
    "status": _make_nullable("string"),
    "amount": _make_nullable("number"),
    "hours": _make_nullable("number"),
    "active": _make_nullable("boolean"),
    "start_date": _make_nullable("string", format="date"),
    "updated_at": _make_nullable("string", format="date-time"),
    "comment": _make_nullable("string"),
    "team": _make_nullable("object"),
}


def _make_attendance(number: int) -> Message:
    return {
        "id": number,
        "employee_id": f"e{number % 5000:06}",
        "first_name": ("Ana", "Björn", "Chloé", "Dario")[number % 4],
        "email": f"p{number}@example.org",
        "status": ("open", "done", "gone")[number % 3],
        "amount": round(number * 1.37 % 100000, 2),
        "hours": number % 24 / 3,
        "active": number % 2 == 0,
        "start_date": str((_DAY + dt.timedelta(days=number % 900)).date()),
        "updated_at": (_DAY + dt.timedelta(seconds=number * 7)).isoformat() + "Z",
        "comment": None if number % 4 else 'a comment of some length, with "quotes"',
        "team": {"id": number % 17, "name": f"team {number % 17}"},
    }


def make_attendances(rows: int) -> Iterator[Message]:
    """Yields one stream with twelve fields and a key, and a STATE message every 10,000 rows."""
    yield make_schema("attendances", PROPERTIES)
    for number in range(rows):
        yield make_record("attendances", _make_attendance(number))
        if number % 10_000 == 0:
            yield {"type": "STATE", "value": {"row": number}}


def _choose_wide_kind(position: int) -> str:
    return ("text", "nested", "integer", "integer", "number", "number", "time", "text", "text", "text")[position % 10]


def _make_wide_record(number: int, prefix: str = "f") -> Message:
    values = {
        "text": f"text {number} of some words",
        "nested": {"id": number, "tags": [{"name": f"t{n}", "on": True} for n in range(4)], "share": 0.125},
        "integer": number * 31,
        "number": number / 7,
        "time": (_DAY + dt.timedelta(seconds=number)).isoformat() + "Z",
    }
    return {"id": number, **{f"{prefix}{position}": values[_choose_wide_kind(position)] for position in range(59)}}


def _make_wide_properties(prefix: str = "f") -> dict[str, Any]:
    kinds = {
        "text": _make_nullable("string"),
        "nested": _make_nullable("object"),
        "integer": _make_nullable("integer"),
        "number": _make_nullable("number"),
        "time": _make_nullable("string", format="date-time"),
    }
    return {
        "id": {"type": "integer"},
        **{f"{prefix}{position}": kinds[_choose_wide_kind(position)] for position in range(59)},
    }


def make_wide_rows(rows: int) -> Iterator[Message]:
    """Yields one stream with sixty fields, six of them nested, and a tenth of the rows."""
    yield make_schema("wide", _make_wide_properties())
    for number in range(rows // 10):
        yield make_record("wide", _make_wide_record(number))


def make_many_streams(_rows: int) -> Iterator[Message]:
    """Yields many streams, each with a SCHEMA message, a hundred rows and a STATE message."""
    for stream in range(STREAMS):
        name = f"stream_{stream}"
        yield make_schema(name, PROPERTIES)
        for number in range(ROWS_PER_STREAM):
            yield make_record(name, _make_attendance(number))
        yield {"type": "STATE", "value": {"stream": stream}}


def make_repeated_schemas(_rows: int) -> Iterator[Message]:
    """Yields two streams with sixty fields. A SCHEMA message precedes each row, as in parent and child streams."""
    for number in range(REPEATS):
        for name in ("parents", "children"):
            yield make_schema(name, _make_wide_properties())
            yield make_record(name, _make_wide_record(number))
        yield {"type": "STATE", "value": {"row": number}}


def make_mixed_schemas(_rows: int) -> Iterator[Message]:
    """Yields one stream that alternates between two schemas with sixty fields."""
    for number in range(REPEATS):
        for prefix in ("f", "g"):
            yield make_schema("mixed", _make_wide_properties(prefix))
            yield make_record("mixed", _make_wide_record(number, prefix))


def make_large_case(rows: int) -> Iterator[Message]:
    """Yields the case `new` with ten times as many rows."""
    yield from make_attendances(rows * 10)


CASES = {
    "new": make_attendances,
    "wide": make_wide_rows,
    "many": make_many_streams,
    "repeated": make_repeated_schemas,
    "mixed": make_mixed_schemas,
    "large": make_large_case,
}


def write_messages(case: str, rows: int) -> tuple[Path, int]:
    """Writes a case's messages to a file. Returns the file and the number of records."""
    path = FOLDER / f"{case}.jsonl"
    count = 0
    with path.open("w") as file:
        for message in CASES[case](rows):
            count += message["type"] == "RECORD"
            file.write(json.dumps(message) + "\n")
    return path, count


# Runs


def run_loader(command: list[str], messages: Path, database: Path) -> Usage:
    """Runs a loader on a file of messages."""
    config = FOLDER / "config.json"
    config.write_text(json.dumps({"path": str(database), "default_target_schema": "main"}))
    run = run_and_measure([[*command, "--config", str(config)]], FOLDER / "log", source=messages)
    if not run.succeeded:
        sys.exit(f"{command[0]} failed, see {FOLDER / 'log'}.")
    return run


def remove_database(database: Path) -> None:
    """Removes a database and its write-ahead log."""
    for path in (database, database.with_name(database.name + ".wal")):
        path.unlink(missing_ok=True)


def have_same_rows(one: Path, other: Path) -> bool:
    """Whether both databases have the same rows, after casts to types that both loaders use."""
    columns = ", ".join(
        {
            "updated_at": "epoch_us(updated_at)",
            "team": "json(team)",
            "id": "CAST(id AS BIGINT)",
        }.get(name, f"CAST({name} AS VARCHAR)")
        for name in PROPERTIES
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, path in (("one", one), ("other", other)):
            connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
        both = [f"SELECT {columns} FROM {name}.main.attendances" for name in ("one", "other")]  # noqa: S608 - constant names
        counts = [connection.execute(f"SELECT count(*) FROM ({rows})").fetchall() for rows in both]  # noqa: S608 - constant names
        differing = connection.execute(f"({both[0]}) EXCEPT ({both[1]}) LIMIT 1").fetchall()
    return counts[0] == counts[1] and not differing


# Results


def print_best(case: str, loader: str, runs: list[Usage], rows: int, start: float = 0.0) -> Usage:
    """Prints the best of some runs and returns it."""
    best = replace(
        runs[0],
        seconds=min(run.seconds for run in runs),
        cpu=min(run.cpu for run in runs),
        peak_memory_mb=max(run.peak_memory_mb for run in runs),
    )
    slowest = max(run.seconds for run in runs)
    net = f"{rows / (best.cpu - start):>12,.0f}" if 0 < start < best.cpu / 2 else f"{'':>12}"
    print(
        f"{case:<10}{loader:<11}{best.seconds:>8.1f}{slowest:>9.1f}{rows / best.seconds:>10,.0f}"
        f"{best.cpu:>8.1f}{rows / best.cpu:>12,.0f}{net}{best.peak_memory_mb:>6.0f}",
        flush=True,
    )
    return best


def compare_loaders(rows: int, repeat: int, loaders: dict[str, list[str]]) -> bool:
    """Runs each loader twice on the same file: into an empty table, then over its rows.

    Returns:
        Whether all loaders have loaded the same rows.
    """
    path, count = write_messages("new", rows)
    empty = FOLDER / "empty.jsonl"
    empty.write_text(json.dumps(make_schema("attendances", PROPERTIES)) + "\n")
    runs: dict[tuple[str, str], list[Usage]] = {}
    for _ in range(repeat):
        for name, command in loaders.items():
            database = FOLDER / f"{name}.duckdb"
            remove_database(database)
            for case, messages in (("start", empty), ("new", path), ("upsert", path)):
                runs.setdefault((case, name), []).append(run_loader(command, messages, database))
    for case in ("new", "upsert"):
        best = []
        for name in loaders:
            start = min(run.cpu for run in runs["start", name])
            best.append(print_best(case, name, runs[case, name], count, start))
        if len(best) > 1:
            ours, theirs = best
            print(f"{case:<10}ratio {theirs.seconds / ours.seconds:.1f}, of CPU {theirs.cpu / ours.cpu:.1f}")
    if len(loaders) == 1:
        return True
    same = have_same_rows(*(FOLDER / f"{name}.duckdb" for name in loaders))
    print("both loaders give the same rows" if same else "DIFFERENT ROWS")
    return same


def main() -> None:
    """Runs the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--large", action="store_true")
    arguments.add_argument("--alone", action="store_true")
    arguments.add_argument("--case", action="append", choices=list(CASES))
    options = arguments.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if hasattr(os, "sched_setaffinity"):  # inherited by the loaders
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"One core; the best of {options.repeat}.")
    cases = options.case or [case for case in CASES if case != "large" or options.large]
    loaders = {"ours": OURS}
    if not options.alone:
        if failed := set_up([PUBLISHED]):
            sys.exit(failed[PUBLISHED])
        loaders["published"] = [str(HOME / "envs" / "published" / "bin" / "target-duckdb")]
    print(f"{'':<21}{'seconds':>8}{'slowest':>9}{'rows/s':>10}{'CPU s':>8}{'rows/CPU s':>12}{'net':>12}{'MB':>6}")
    same = True
    for case in cases:
        if case == "new":
            same = compare_loaders(options.rows, options.repeat, loaders)
            continue
        path, count = write_messages(case, options.rows)
        runs = []
        for _ in range(1 if case == "large" else options.repeat):
            database = FOLDER / "ours.duckdb"
            remove_database(database)
            runs.append(run_loader(OURS, path, database))
        print_best(case, "ours", runs, count)
    for path in FOLDER.iterdir():
        path.unlink()
    print("CPU s: CPU seconds; net: rows per CPU second without the start of the process; MB: peak memory")
    sys.exit(not same)


if __name__ == "__main__":
    main()
