"""Upsert, append, deletions and versions."""

from __future__ import annotations

from typing import Any

import pytest

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "name": STRING, "note": STRING}


def test_last_record_of_a_key_wins(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", COLUMNS, ["id"])
    first = [record("s", {"id": n % 5, "name": f"a{n}"}) for n in range(23)]
    duck.load(head, *first, batch_size_rows=7)
    assert duck.query("SELECT id, name FROM s ORDER BY 1") == [
        (0, "a20"),
        (1, "a21"),
        (2, "a22"),
        (3, "a18"),
        (4, "a19"),
    ]
    duck.load(head, record("s", {"id": 3, "name": "b", "note": "x"}), record("s", {"id": 9, "name": "c"}))
    assert duck.query("FROM s WHERE id IN (2, 3, 9) ORDER BY 1") == [(2, "a22", None), (3, "b", "x"), (9, "c", None)]
    assert duck.query("SELECT count(*) FROM s") == [(6,)]


def test_composite_keys_of_any_type_are_compared_by_value(duck: Any, schema: Any, record: Any) -> None:
    properties = {
        "line": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "amount": {"type": "string", "format": "singer.decimal"},
        "received": INTEGER,
    }
    duck.load(
        schema("s", properties, ["line", "at", "amount"]),
        record("s", {"line": "a", "at": "2024-01-01T02:00:00+02:00", "amount": "1.0", "received": 1}),
        record("s", {"line": "a", "at": "2024-01-01T00:00:00Z", "amount": "1.00", "received": 2}),
        record("s", {"line": "A", "at": "2024-01-01T00:00:00Z", "amount": "1.00", "received": 3}),
    )
    assert duck.query("SELECT line, received FROM s ORDER BY 2") == [("a", 2), ("A", 3)]


def test_record_replaces_the_whole_row(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", COLUMNS, ["id"])
    duck.load(head, record("s", {"id": 1, "name": "a", "note": "b"}), record("s", {"id": 1, "name": "c"}))
    assert duck.query("FROM s") == [(1, "c", None)]


def test_columns_that_the_stream_does_not_have_keep_their_values(duck: Any, schema: Any, record: Any) -> None:
    duck.load(schema("s", COLUMNS, ["id"]), *(record("s", {"id": n, "name": "a", "note": "b"}) for n in (1, 2)))
    duck.query("ALTER TABLE s ADD COLUMN mine VARCHAR DEFAULT 'kept'")
    duck.load(
        schema("s", {"id": INTEGER, "name": STRING}, ["id"]), *(record("s", {"id": n, "name": "z"}) for n in (2, 3))
    )
    assert duck.query("FROM s ORDER BY 1") == [(1, "a", "b", "kept"), (2, "z", "b", "kept"), (3, "z", None, "kept")]


def test_rows_without_a_key_are_appended_in_order(duck: Any, schema: Any, record: Any) -> None:
    messages = [schema("s", COLUMNS), *(record("s", {"id": n % 2, "name": f"n{n}"}) for n in range(5))]
    duck.load(*messages)
    duck.load(*messages, batch_size_rows=2)
    assert [name for (name,) in duck.query("SELECT name FROM s")] == [f"n{n}" for n in range(5)] * 2


def test_streams_may_be_interleaved(duck: Any, schema: Any, record: Any) -> None:
    messages = [schema("a", COLUMNS, ["id"]), schema("b", COLUMNS, ["id"])]
    messages += [record("ab"[n % 2], {"id": n, "name": "x"}) for n in range(40)]
    duck.load(*messages, messages[0], messages[1], batch_size_rows=11)
    assert duck.query("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)") == [(20, 20)]


def test_schema_without_records_creates_an_empty_table(duck: Any, schema: Any) -> None:
    duck.load(schema("s", COLUMNS, ["id"]))
    assert duck.types("s") == {"id": "BIGINT", "name": "VARCHAR", "note": "VARCHAR"}
    assert duck.query("SELECT count(*) FROM s") == [(0,)]


def test_stream_with_only_key_properties_has_one_row_per_key(duck: Any, schema: Any, record: Any) -> None:
    duck.load(schema("s", {"id": INTEGER}, ["id"]), record("s", {"id": 1}), record("s", {"id": 1}))
    assert duck.query("FROM s") == [(1,)]


def test_schema_without_properties_loads_metadata_only(duck: Any, record: Any) -> None:
    duck.load(
        {"type": "SCHEMA", "stream": "s", "schema": {}, "key_properties": []}, record("s", {"a": 1}), record("s", {})
    )
    assert duck.query("SELECT count(_sdc_received_at) FROM s") == [(2,)]


# Deletion marks of the tap


def test_deletion_mark_updates_only_its_fields(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", COLUMNS, ["id"])
    mark = "2024-05-05T00:00:00Z"
    duck.load(head, *(record("s", {"id": n, "name": f"a{n}", "note": "old"}) for n in range(6)))
    duck.load(
        head,
        record("s", {"id": 0, "_sdc_deleted_at": mark}),
        record("s", {"id": 1, "note": None, "_sdc_deleted_at": mark}),
        record("s", {"id": 2, "name": "new"}),
        record("s", {"id": 2, "note": "gone", "_sdc_deleted_at": mark}),
        record("s", {"id": 3, "_sdc_deleted_at": mark}),
        record("s", {"id": 3, "name": "back"}),
        record("s", {"id": 4, "note": "one", "_sdc_deleted_at": mark}),
        record("s", {"id": 4, "name": "two", "_sdc_deleted_at": mark}),
        record("s", {"id": 9, "_sdc_deleted_at": mark}),
    )
    assert duck.query("SELECT id, name, note, _sdc_deleted_at IS NOT NULL FROM s ORDER BY 1") == [
        (0, "a0", "old", True),
        (1, "a1", None, True),
        (2, "new", "gone", True),
        (3, "back", None, False),
        (4, "two", "one", True),
        (5, "a5", "old", False),
    ]
    duck.load(head, record("s", {"id": 0, "name": "again", "_sdc_deleted_at": None}))
    assert duck.query("SELECT name, note, _sdc_deleted_at FROM s WHERE id = 0") == [("again", None, None)]


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("is_declared", [False, True])
def test_deletion_mark_without_row_creates_none(
    *, duck: Any, schema: Any, record: Any, is_declared: bool, hard: bool, size: int
) -> None:
    head = schema("s", COLUMNS | ({"_sdc_deleted_at": STRING} if is_declared else {}), ["id"])
    settings = {"hard_delete": hard, "batch_size_rows": size, "add_metadata_columns": True}
    mark = {"_sdc_deleted_at": "2024-05-05T00:00:00Z"}
    duck.load(
        head,
        record("s", {"id": 1} | mark),
        record("s", {"id": 2, "name": "before"}),
        record("s", {"id": 2} | mark),
        record("s", {"id": 3, "name": "before", "note": "before"}),
        record("s", {"id": 3} | mark),
        record("s", {"id": 3, "name": "again"}),
        record("s", {"id": 4} | mark),
        record("s", {"id": 4, "name": "after"}),
        record("s", {"id": 5, "note": "kept"} | mark),
        **settings,
    )
    rows = [
        (2, "before", None, False),
        (3, "again", None, True),
        (4, "after", None, True),
        (5, None, "kept", False),
    ]
    rows = [row for row in rows if row[-1] or not hard]
    query = "SELECT id, name, note, _sdc_deleted_at IS NULL FROM s ORDER BY 1"
    assert duck.query(query) == rows
    duck.load(head, *(record("s", {"id": n} | mark) for n in (3, 7)), **settings)
    assert duck.query(query) == [(*row[:3], row[-1] and row[0] != 3) for row in rows if row[0] != 3 or not hard]


@pytest.mark.parametrize("is_declared", [False, True])
def test_a_row_that_is_loaded_again_without_a_mark_is_live(
    *, duck: Any, schema: Any, record: Any, is_declared: bool
) -> None:
    head = schema("s", COLUMNS, ["id"])
    marking = schema("s", COLUMNS | {"_sdc_deleted_at": STRING}, ["id"])
    mark = record("s", {"id": 1, "_sdc_deleted_at": "2024-05-05T00:00:00Z"}, version=1)
    duck.load(head, *(record("s", {"id": n, "name": "a"}, version=1) for n in (1, 2)))
    duck.load(marking if is_declared else head, record("s", {"id": 2, "name": "b"}, version=1), mark)
    marked = "SELECT id, name, _sdc_deleted_at IS NOT NULL FROM s ORDER BY 1"
    assert duck.query(marked) == [(1, "a", True), (2, "b", False)]
    duck.load(head, record("s", {"id": 1, "name": "c"}, version=1))
    assert duck.query(marked) == [(1, "c", False), (2, "b", False)]


def test_deletion_mark_of_a_composite_key_needs_all_of_it(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", COLUMNS, ["id", "name"])
    mark = "2024-05-05T00:00:00Z"
    duck.load(head, record("s", {"id": 1, "name": "a", "note": "n"}))
    duck.load(head, *(record("s", {"id": 1, "name": name, "_sdc_deleted_at": mark}) for name in ("a", "b")))
    assert duck.query("SELECT id, name, note, _sdc_deleted_at IS NOT NULL FROM s") == [(1, "a", "n", True)]


@pytest.mark.parametrize("mark", ["", False, None])
@pytest.mark.parametrize("hard", [False, True])
def test_invalid_deletion_marks_delete_nothing(*, duck: Any, schema: Any, record: Any, hard: bool, mark: Any) -> None:
    head = schema("s", COLUMNS, ["id"])
    rows = [record("s", {"id": n, "name": "a", "note": "b"}) for n in range(5)]
    duck.load(head, *rows, hard_delete=hard)
    duck.load(head, *(record("s", {"id": n, "name": "c", "_sdc_deleted_at": mark}) for n in range(5)), hard_delete=hard)
    assert duck.query("SELECT id, name, note FROM s ORDER BY 1") == [(n, "c", None) for n in range(5)]
    assert "_sdc_deleted_at" not in duck.types("s") or duck.query("SELECT count(_sdc_deleted_at) FROM s") == [(0,)]


def test_hard_delete_removes_marked_rows(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {**COLUMNS, "_sdc_deleted_at": {"type": ["null", "string"], "format": "date-time"}}, ["id"])
    messages = [record("s", {"id": n, "name": "a"}) for n in range(3)]
    messages += [
        record("s", {"id": 1, "_sdc_deleted_at": "2024-01-01T00:00:00Z"}),
        record("s", {"id": 2, "_sdc_deleted_at": "yes"}),
    ]
    duck.load(head, *messages, hard_delete=True)
    assert duck.query("SELECT id, _sdc_deleted_at FROM s") == [(0, None)]


# Versions

STATE = {"type": "STATE", "value": {}}


def _activate_version(version: int, stream: str = "s") -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": version}


@pytest.mark.parametrize("hard", [False, True])
def test_rows_of_older_versions_are_deleted(duck: Any, schema: Any, record: Any, hard: bool) -> None:  # noqa: FBT001
    head = schema("s", COLUMNS, ["id"])
    duck.load(head, *(record("s", {"id": n, "name": "a"}) for n in range(4)), hard_delete=hard)
    assert "_sdc_table_version" not in duck.types("s")
    duck.load(
        head,
        *(record("s", {"id": n, "name": "b"}, version=7) for n in (0, 1, 2)),
        _activate_version(7),
        hard_delete=hard,
    )
    live = "SELECT id, name, _sdc_table_version FROM s WHERE _sdc_deleted_at IS NULL ORDER BY 1"
    assert duck.query(live) == [(0, "b", 7), (1, "b", 7), (2, "b", 7)]
    assert duck.query("SELECT count(*) FROM s") == [(3 if hard else 4,)]
    # A resumed run has the same version and deletes nothing. A newer version lacks row 0 and has row 3 again.
    duck.load(head, record("s", {"id": 2, "name": "c"}, version=7), _activate_version(7), hard_delete=hard)
    duck.load(
        head,
        *(record("s", {"id": n, "name": "d"}, version=8) for n in (1, 2, 3)),
        _activate_version(8),
        hard_delete=hard,
    )
    assert duck.query(live) == [(1, "d", 8), (2, "d", 8), (3, "d", 8)]
    gone = [] if hard else [(0, "b", 7)]
    assert duck.query("SELECT id, name, _sdc_table_version FROM s WHERE _sdc_deleted_at IS NOT NULL") == gone


@pytest.mark.parametrize(("hard", "size"), [(False, 100), (True, 1)])
def test_rows_without_a_version_stay_until_a_full_read(
    *, duck: Any, schema: Any, record: Any, hard: bool, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    head = schema("s", COLUMNS, ["id"])
    settings = {"hard_delete": hard, "batch_size_rows": size}
    duck.load(head, *(record("s", {"id": n}) for n in (1, 2, 3)))
    live = "SELECT id FROM s WHERE _sdc_deleted_at IS NULL ORDER BY 1"
    # Incremental runs of a tap that first sends the version in its state.
    for n in (9, 3):
        duck.load(head, _activate_version(170), record("s", {"id": n}, version=170), STATE, **settings)
    assert duck.query(live) == [(1,), (2,), (3,), (9,)]
    assert "had no version" not in caplog.text
    # The next version is a full read.
    duck.load(head, _activate_version(171), *(record("s", {"id": n}, version=171) for n in (1, 9)), STATE, **settings)
    assert duck.query(live) == [(1,), (9,)]
    # Row 2, because row 3 has a version, and the tap has sent row 1 again.
    assert "Stream 's': 1 unversioned rows are not in the activated version" in caplog.text
    assert duck.query("SELECT count(*) FROM s") == [(2 if hard else 4,)]


def test_full_read_in_several_batches_deletes_rows_without_a_version(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    head = schema("s", COLUMNS, ["id"])
    duck.load(head, *(record("s", {"id": n}) for n in (1, 2, 3)))
    duck.load(head, *(record("s", {"id": n}, version=7) for n in (1, 4, 5)), _activate_version(7), batch_size_rows=1)
    assert duck.query("SELECT id FROM s WHERE _sdc_deleted_at IS NULL ORDER BY 1") == [(1,), (4,), (5,)]
    assert "Stream 's': 2 unversioned rows" in caplog.text


def test_deletion_time_is_kept(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", COLUMNS, ["id"])
    duck.load(head, record("s", {"id": 1}, version=1), record("s", {"id": 2}, version=2), _activate_version(2))
    first = duck.query("SELECT _sdc_deleted_at FROM s WHERE id = 1")
    duck.load(head, record("s", {"id": 2}, version=3), _activate_version(3))
    assert duck.query("SELECT _sdc_deleted_at FROM s WHERE id = 1") == first
    assert first[0][0] is not None


def test_version_is_activated_before_its_records(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", COLUMNS, ["id"])
    for version, ids in ((1, (1, 2)), (2, (2, 3))):
        rows = [record("s", {"id": n}, version=version) for n in ids]
        duck.load(head, _activate_version(version), *rows, STATE, batch_size_rows=1)
    assert duck.query("SELECT id, _sdc_deleted_at IS NULL FROM s ORDER BY 1") == [(1, False), (2, True), (3, True)]


def test_activation_after_records_without_version_deletes_nothing(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    duck.load(schema("s", COLUMNS, ["id"]), record("s", {"id": 1, "name": "a"}), _activate_version(5))
    assert duck.query("SELECT id, name FROM s") == [(1, "a")]
    assert "ACTIVATE_VERSION was ignored" in caplog.text


def test_versions_without_a_key_replace_all_rows(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", COLUMNS)
    for version in (1, 2):
        duck.load(
            head,
            *(record("s", {"id": n, "name": "a"}, version=version) for n in range(3)),
            _activate_version(version),
            hard_delete=True,
        )
    assert duck.query("SELECT count(*), min(_sdc_table_version) FROM s") == [(3, 2)]


def test_second_run_keeps_unchanged_rows(duck: Any, schema: Any, record: Any) -> None:
    messages = [schema("s", COLUMNS, ["id"]), *(record("s", {"id": n, "name": f"a{n}"}) for n in range(9))]
    duck.load(*messages, add_metadata_columns=True)
    before = duck.query("SELECT id, name, note FROM s ORDER BY 1")
    duck.load(*messages, add_metadata_columns=True)
    duck.load(*messages)
    assert duck.query("SELECT id, name, note FROM s ORDER BY 1") == before
