"""Properties renamed only in case keep their columns, and `_sdc_...` properties of the tap are kept."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from target_duckdb.errors import TargetError

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}
INSTANT = {"type": ["null", "string"], "format": "date-time"}


def _make_messages(schema: Any, record: Any, number: int, *names: str, key: str = "id", stream: str = "s") -> list[Any]:
    head = schema(stream, {key: INTEGER, **dict.fromkeys(names, STRING)}, [key])
    return [head, record(stream, {key: number, **{name: f"{name}{number}" for name in names}})]


@pytest.mark.parametrize("method", ["upsert", "append-only"])
def test_property_renamed_only_in_case_keeps_its_column(*, duck: Any, schema: Any, record: Any, method: str) -> None:
    patterns = ("aAaA", "AaA", "aaA")

    def runs_of(prefix: str) -> list[list[Any]]:
        """Returns the messages of each run. The patterns are streams, because opening a file takes longest."""
        runs: list[list[Any]] = [[] for _ in range(4)]
        for case, pattern in enumerate(patterns):
            for number, name in enumerate(pattern):
                runs[number] += _make_messages(schema, record, number, name, stream=f"{prefix}_{case}")
        return runs

    for size in (1, 100):
        duck.load(*itertools.chain(*runs_of(f"at_once_{size}")), batch_size_rows=size, load_method=method)
    for run in runs_of("one_by_one"):
        duck.load(*run, load_method=method)
    for prefix in ("at_once_1", "at_once_100", "one_by_one"):
        for case, pattern in enumerate(patterns):
            expected = [(number, f"{name}{number}") for number, name in enumerate(pattern)]
            assert list(duck.types(f"{prefix}_{case}")) == ["id", pattern[0]]
            assert duck.query(f"FROM {prefix}_{case} ORDER BY id") == expected


def test_staging_table_records_column_names(duck: Any, schema: Any, record: Any) -> None:
    for version, name in ((1, "a"), (2, "A")):
        head = schema("s", {"id": INTEGER, name: STRING}, ["id"])
        messages = [head, record("s", {"id": 1, name: name}, version=version)]
        duck.load(*messages, {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}, load_method="overwrite")
    assert duck.query("SELECT id, a FROM s") == [(1, "A")]
    assert [name for name in duck.types("s") if name.lower().startswith("a")] == ["a"]


def test_schema_with_names_that_differ_only_in_case_has_two_columns(duck: Any, schema: Any, record: Any) -> None:
    runs = [("a",), ("A",), ("a", "A"), ("A",), ("a",), ("A", "a")]
    for number, names in enumerate(runs):
        duck.load(*_make_messages(schema, record, number, *names))
    assert list(duck.types("s")) == ["id", "a", "A_2"]
    assert duck.query("FROM s ORDER BY id") == [
        (0, "a0", None),
        (1, "A1", None),
        (2, "a2", "A2"),
        (3, None, "A3"),
        (4, "a4", None),
        (5, "a5", "A5"),
    ]
    duck.query("DROP TABLE s")
    messages = (_make_messages(schema, record, number, *names) for number, names in enumerate(runs))
    duck.load(*itertools.chain(*messages))
    assert duck.query("SELECT count(a), count(A_2) FROM s") == [(4, 4)]


@pytest.mark.parametrize("at_once", [False, True])
def test_key_renamed_only_in_case_is_the_same_key(*, duck: Any, schema: Any, record: Any, at_once: bool) -> None:
    runs = [_make_messages(schema, record, number, "v", key=key) for number in (1, 2) for key in ("id", "ID", "Id")]
    for messages in [itertools.chain(*runs)] if at_once else runs:
        duck.load(*messages)
    assert list(duck.types("s")) == ["id", "v"]
    assert duck.query("FROM s ORDER BY id") == [(1, "v1"), (2, "v2")]
    duck.load(*_make_messages(schema, record, 3, "v", key="iD"), batch_size_rows=1)
    with pytest.raises(TargetError, match="its key now uses another property that differs only in case"):
        duck.load(schema("s", {"id": INTEGER, "ID": INTEGER, "v": STRING}, ["ID"]), record("s", {"id": 1, "ID": 2}))


def test_key_changed_to_a_property_that_differs_only_in_case_is_an_error(duck: Any, schema: Any, record: Any) -> None:
    messages = [*_make_messages(schema, record, 1, "v", key="id"), *_make_messages(schema, record, 1, "v", key="ID")]
    both = schema("s", {"id": INTEGER, "ID": INTEGER, "v": STRING}, ["ID"])
    with pytest.raises(TargetError, match="its key now uses another property that differs only in case"):
        duck.load(*messages, both, record("s", {"id": 1, "ID": 2}))


def test_flattened_columns_are_found_regardless_of_case(duck: Any, schema: Any, record: Any) -> None:
    for name in ("home", "Home"):
        inner = {"type": "object", "properties": {"city": STRING}}
        head = schema("s", {"id": INTEGER, name: inner}, ["id"])
        duck.load(head, record("s", {"id": 1, name: {"city": name}}), data_flattening_max_level=1)
    assert list(duck.types("s")) == ["id", "home__city"]
    assert duck.query("FROM s") == [(1, "Home")]


# Metadata


@pytest.mark.parametrize("adds_columns", [False, True])
def test_metadata_columns_of_the_tap_are_kept(*, duck: Any, schema: Any, record: Any, adds_columns: bool) -> None:
    own = {
        "_sdc_extracted_at": INSTANT,
        "_sdc_batched_at": INSTANT,
        "_sdc_sequence": INTEGER,
        "_sdc_deleted_at": INSTANT,
    }
    head = schema("s", {"id": INTEGER, **own, "_sdc_table_version": INTEGER, "_sdc_other": STRING}, ["id"])
    timestamp = "2020-01-01T00:00:00Z"
    values = {"_sdc_extracted_at": timestamp, "_sdc_batched_at": timestamp, "_sdc_sequence": 5, "_sdc_table_version": 7}
    rows = [
        record("s", {"id": 1, **values, "_sdc_other": "x"}, time_extracted="2024-01-01T00:00:00Z"),
        record("s", {"id": 2, "_sdc_other": "y", "_sdc_deleted_at": timestamp}, time_extracted="2024-01-01T00:00:00Z"),
    ]
    duck.load(head, *rows, add_metadata_columns=adds_columns)
    duck.load(head, record("s", {**rows[0]["record"], "_sdc_table_version": 6}), add_metadata_columns=adds_columns)
    day = datetime(2020, 1, 1, tzinfo=UTC)
    names = ", ".join(name for name in (*own, "_sdc_table_version", "_sdc_other"))
    assert duck.query(f"SELECT {names} FROM s WHERE id = 1") == [(day, day, 5, None, 6, "x")]
    assert duck.query("SELECT _sdc_deleted_at FROM s WHERE id = 2") == [(day,)]
    if adds_columns:
        received = duck.query("SELECT _sdc_extracted_at, _sdc_batched_at > _sdc_extracted_at FROM s WHERE id = 2")
        assert received == [(datetime(2024, 1, 1, tzinfo=UTC), True)]


def test_version_of_the_message_wins_over_the_record(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": INTEGER, "_sdc_table_version": INTEGER}, ["id"])
    duck.load(head, record("s", {"id": 1, "_sdc_table_version": 9}), record("s", {"id": 2, "_sdc_table_version": 1}))
    duck.load(
        head,
        record("s", {"id": 1, "_sdc_table_version": 1}, version=10),
        {"type": "ACTIVATE_VERSION", "stream": "s", "version": 10},
    )
    assert duck.query("SELECT id, _sdc_table_version FROM s WHERE _sdc_deleted_at IS NULL") == [(1, 10)]


def test_metadata_of_another_type_is_kept_as_text(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": INTEGER, "_sdc_batched_at": STRING}, ["id"])
    duck.load(
        head, record("s", {"id": 1, "_sdc_batched_at": "soon"}), record("s", {"id": 2}), add_metadata_columns=True
    )
    assert duck.query("SELECT _sdc_batched_at = 'soon' FROM s ORDER BY id") == [(True,), (False,)]


TIMESTAMPS = [
    *("20240101T100000Z", "2024-01-01t10:00:00z", "2024-01-01T10Z", "20240101t120000+0200"),
    *("2024-01-01 10:00:00 UTC", "2024-01-01T10:00:00,000z", "2024-01-01T10:00:00.000000000Z"),
]


@pytest.mark.parametrize("count", [1, 6])
def test_metadata_timestamps_in_other_formats_are_parsed(*, duck: Any, schema: Any, record: Any, count: int) -> None:
    own = dict.fromkeys(("_sdc_extracted_at", "_sdc_received_at", "_sdc_batched_at", "_sdc_deleted_at"), INSTANT)
    numbers = range(count)
    messages = []
    for case, text in enumerate(TIMESTAMPS):
        messages += [
            schema(f"s{case}", {"id": INTEGER, "v": INTEGER, **own}, ["id"]),
            *(record(f"s{case}", {"id": n, "v": 1, **dict.fromkeys(own, text)}) for n in numbers),
            schema(f"t{case}", {"id": INTEGER, "v": INTEGER}, ["id"]),
            *(record(f"t{case}", {"id": n}, time_extracted=text) for n in numbers),
            *(record(f"t{case}", {"id": n, "v": 1, "_sdc_deleted_at": text}) for n in (10, 11)),
        ]
    duck.load(*messages, add_metadata_columns=True)
    timestamp = datetime(2024, 1, 1, 10, tzinfo=UTC)
    for case, text in enumerate(TIMESTAMPS):
        s, t = f"s{case}", f"t{case}"
        assert duck.query(f"SELECT {', '.join(own)} FROM {s}") == [(timestamp,) * 4] * count, text
        extracted = duck.query(f"SELECT _sdc_extracted_at, _sdc_deleted_at FROM {t} WHERE id < 10")
        assert extracted == [(timestamp, None)] * count, text
        assert duck.query(f"SELECT _sdc_deleted_at FROM {t} WHERE id >= 10") == [(timestamp,)] * 2, text
