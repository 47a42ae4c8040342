"""Schema evolution: growing schemas, colliding names, changed keys."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from target_duckdb.errors import TargetError
from target_duckdb.names import assign_names

INTEGER = {"type": ["null", "integer"]}
NUMBER = {"type": ["null", "number"]}
STRING = {"type": ["null", "string"]}
HUGE = {"type": ["null", "integer"], "maximum": 2**70}
DATE_TIME = {"type": ["null", "string"], "format": "date-time"}
CENTS = {"type": ["null", "number"], "multipleOf": 0.01}
OBJECT = {"type": ["null", "object"]}


CHANGED: list[tuple[Any, ...]] = [
    (INTEGER, 1, HUGE, 2**65, "HUGEINT", [1, 2**65]),
    (HUGE, 2**65, INTEGER, 1, "HUGEINT", [2**65, 1]),
    (INTEGER, 1, STRING, "x", "VARCHAR", ["1", "x"]),
    (STRING, "x", INTEGER, 1, "VARCHAR", ["x", "1"]),
    (INTEGER, 7, NUMBER, 0.5, "DOUBLE", [7.0, 0.5]),
    (INTEGER, 2**53 + 1, NUMBER, 0.5, "VARCHAR", [str(2**53 + 1), "0.5"]),
    (NUMBER, 0.5, INTEGER, 7, "DOUBLE", [0.5, 7.0]),
    (NUMBER, 0.5, INTEGER, 2**53 + 1, "VARCHAR", ["0.5", str(2**53 + 1)]),
    (INTEGER, 7, CENTS, 0.25, "DECIMAL(38,2)", [Decimal(7), Decimal("0.25")]),
    (CENTS, 0.25, INTEGER, 7, "DECIMAL(38,2)", [Decimal("0.25"), Decimal(7)]),
    (CENTS, 0.25, {**CENTS, "multipleOf": 0.0001}, 0.1234, "DECIMAL(38,4)", [Decimal("0.25"), Decimal("0.1234")]),
    (INTEGER, 1, OBJECT, {"a": 1}, "JSON", ["1", '{"a": 1}']),
    (STRING, 'x"y', OBJECT, {"a": 1}, "JSON", ['"x\\"y"', '{"a": 1}']),
    (OBJECT, {"a": 1.5}, STRING, "x", "JSON", ['{"a": 1.5}', '"x"']),
    (OBJECT, {"a": 1.5}, NUMBER, 0.1, "JSON", ['{"a": 1.5}', "0.1"]),
    (DATE_TIME, "2024-01-01T02:00:00+02:00", STRING, "x", "VARCHAR", ["2024-01-01 00:00:00+00", "x"]),
    (STRING, "x", DATE_TIME, "2024-01-01T02:00:00+02:00", "VARCHAR", ["x", "2024-01-01 00:00:00+00"]),
    ({"type": "boolean"}, True, STRING, "x", "VARCHAR", ["true", "x"]),
    (STRING, None, STRING, "x", "VARCHAR", [None, "x"]),
]
"""The type and a value before, both after, and the column's type and values then."""


def test_changed_schema_type_widens_the_column(duck: Any, schema: Any, record: Any) -> None:
    def messages(name: str, row: int, type_: Any, value: Any) -> list[Any]:
        return [schema(name, {"id": INTEGER, "v": type_}, ["id"]), record(name, {"id": row, "v": value})]

    # All in two runs: opening a file takes longer than loading a record.
    first, second = [], []
    for number, (old, old_value, new, new_value, _, _) in enumerate(CHANGED):
        first += messages(f"in_two_runs_{number}", 0, old, old_value)
        first += messages(f"in_one_{number}", 0, old, old_value)
        first += messages(f"in_one_{number}", 1, new, new_value)
        second += messages(f"in_two_runs_{number}", 1, new, new_value)
    duck.load(*first)
    duck.load(*second)
    for number, case in enumerate(CHANGED):
        *_, type_, values = case
        for name in (f"in_two_runs_{number}", f"in_one_{number}"):
            assert duck.types(name)["v"] == type_, case
            assert [value for (value,) in duck.query(f"SELECT v FROM {name} ORDER BY id")] == values, case


def test_values_that_do_not_fit_widen_columns_with_rows(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": INTEGER, "n": INTEGER, "at": DATE_TIME}, ["id"])
    duck.load(head, record("s", {"id": 1, "n": 5, "at": "2024-01-01T00:00:00Z"}))
    duck.load(head, record("s", {"id": 2, "n": 1.5, "at": "soon"}), record("s", {"id": 3, "n": 6, "at": None}))
    assert duck.query('SELECT n, "at" FROM s ORDER BY id') == [
        ("5", "2024-01-01 00:00:00+00"),
        ("1.5", "soon"),
        ("6", None),
    ]


def test_key_column_is_widened(duck: Any, schema: Any, record: Any) -> None:
    duck.load(schema("s", {"id": INTEGER}, ["id"]), *(record("s", {"id": value}) for value in (1, 2, "x", 2)))
    duck.load(schema("s", {"id": INTEGER}, ["id"]), *(record("s", {"id": value}) for value in (1, 3, "x")))
    assert duck.query("FROM s ORDER BY 1") == [("1",), ("2",), ("3",), ("x",)]


def test_new_properties_become_columns(duck: Any, schema: Any, record: Any) -> None:
    duck.load(
        schema("s", {"id": INTEGER}, ["id"]),
        record("s", {"id": 1}),
        schema("s", {"id": INTEGER, "b": STRING}, ["id"]),
        record("s", {"id": 2, "b": "x"}),
        schema("s", {"c": STRING, "id": INTEGER}, ["id"]),
        record("s", {"id": 2, "c": "y"}),
    )
    assert duck.query("SELECT id, b, c FROM s ORDER BY 1") == [(1, None, None), (2, "x", "y")]


def test_repeated_schema_does_not_split_a_batch(duck: Any, schema: Any, record: Any) -> None:
    head = schema("s", {"id": INTEGER}, ["id"])
    messages = [message for n in range(50) for message in (head, record("s", {"id": n}))]
    duck.load(*messages, add_metadata_columns=True)
    assert duck.query("SELECT count(*), count(DISTINCT _sdc_batched_at) FROM s") == [(50, 1)]


@pytest.mark.parametrize("order", [["name", "Name", "NAME"], ["NAME", "Name", "name"], ["Name", "NAME", "name"]])
def test_names_that_differ_only_in_case_get_a_suffix(
    duck: Any, schema: Any, record: Any, order: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    values = {name: name for name in order}
    duck.load(schema("s", {"id": INTEGER, **dict.fromkeys(order, STRING)}, ["id"]), record("s", {"id": 1, **values}))
    columns = [order[0], f"{order[1]}_2", f"{order[2]}_3"]
    assert list(duck.types("s")) == ["id", *columns]
    assert [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"] == [
        f"Stream 's': property '{order[1]}' is loaded into column '{order[1]}_2'.",
        f"Stream 's': property '{order[2]}' is loaded into column '{order[2]}_3'.",
    ]
    # In the next run their order differs: each keeps its column.
    duck.load(
        schema("s", {"id": INTEGER, **dict.fromkeys(order[::-1], STRING)}, ["id"]), record("s", {"id": 2, **values})
    )
    assert list(duck.types("s")) == ["id", *columns]
    assert duck.query("FROM s ORDER BY 1") == [(1, *order), (2, *order)]


def test_property_named_like_the_column_of_another_gets_a_suffix(duck: Any, schema: Any, record: Any) -> None:
    for names in (["id", "email", "Email"], ["id", "Email_2", "email"], ["Email_2", "Email", "id", "email"]):
        duck.load(schema("s", dict.fromkeys(names, STRING), ["id"]), record("s", {name: name for name in names}))
    assert list(duck.types("s")) == ["id", "email", "Email_2", "Email_2_2"]
    assert duck.query("FROM s") == [("id", "email", "Email", "Email_2")]


def test_loading_twice_assigns_the_same_columns(duck: Any, schema: Any, record: Any) -> None:
    names = ["a", "A", "A_2"]
    messages = [
        schema("s", {"id": INTEGER} | dict.fromkeys(names, STRING), ["id"]),
        record("s", {"id": 1} | {name: name for name in names}),
    ]
    found = []
    for _ in range(2):
        duck.load(*messages)
        found.append((duck.types("s"), duck.query("FROM s")))
    assert found[0] == found[1]
    assert found[0][1] == [(1, "a", "A", "A_2")]


def test_column_names_are_found_without_a_table_comment() -> None:
    columns = ["name", *(f"Name_{number}" for number in (10, 9, 2))]
    assert assign_names(["name", "Name"], columns) == {"name": "name", "Name": "Name_2"}
    assert assign_names(["name", "Name"], columns[:-1]) == {"name": "name", "Name": "Name_9"}
    # A dropped column is no longer assigned.
    assert assign_names(["Name"], ["name"], column_names={"Name": "Name_2"}) == {"Name": "name"}


NAMES = ["custom-reports", "a.b.c", "select", "Table", "with space", 'quo"te', "it's", "é日本"]
NAMES += ["x[*?].y", "_spool", "_old", "s", "line"]


def test_any_table_and_column_name_can_be_loaded(duck: Any, schema: Any, record: Any) -> None:
    for value in ("x", "y"):
        messages = []
        for name in NAMES:
            columns = {"id": INTEGER, name: STRING, "received": STRING, "c0": STRING, "v0": STRING}
            values = {"id": 1, name: "k", "received": value, "c0": "c", "v0": "v"}
            messages += [schema(name, columns, [name, "id"]), record(name, values)]
        duck.load(*messages)
    for name in NAMES:
        quoted = '"' + name.replace('"', '""') + '"'
        select = f"SELECT {quoted}, id, received, c0, v0 FROM {quoted}"
        assert duck.query(select) == [("k", 1, "y", "c", "v")]


def test_names_that_databases_do_not_support_are_replaced(duck: Any, schema: Any, record: Any) -> None:
    duck.load(schema("s\0", {"": STRING, "a\0b": STRING}), record("s\0", {"": "x", "a\0b": "y"}))
    assert duck.query("SELECT _, a_b FROM s_") == [("x", "y")]


def test_streams_that_differ_only_in_case_have_separate_tables(duck: Any, schema: Any, record: Any) -> None:
    for streams in (["users", "Users", "users_2"], ["users_2", "Users", "users"]):
        messages = [
            message for name in streams for message in (schema(name, {"v": STRING}, ["v"]), record(name, {"v": name}))
        ]
        duck.load(*messages)
    tables = duck.query(
        "SELECT table_name, estimated_size FROM duckdb_tables() WHERE table_name ILIKE 'users%' ORDER BY 1"
    )
    assert tables == [("Users_2", 1), ("users", 1), ("users_2_2", 1)]
    assert duck.query('FROM users UNION ALL FROM "Users_2" UNION ALL FROM users_2_2') == [
        ("users",),
        ("Users",),
        ("users_2",),
    ]


def test_stream_named_like_the_state_table_gets_a_suffix(duck: Any, schema: Any, record: Any) -> None:
    duck.load(
        schema("_singer_state", {"v": STRING}), record("_singer_state", {"v": "x"}), {"type": "STATE", "value": {}}
    )
    assert duck.query("FROM _singer_state_2") == [("x",)]
    assert duck.state() == [("main", "{}")]


def test_schema_can_have_the_name_of_the_file(duck: Any, schema: Any, record: Any) -> None:
    for _ in range(2):
        duck.load(schema("s", {"v": STRING}, ["v"]), record("s", {"v": "x"}), default_target_schema="hr")
    assert duck.query("FROM hr.hr.s") == [("x",)]


def test_changed_key_is_an_error(duck: Any, schema: Any, record: Any) -> None:
    properties = {"id": INTEGER, "month": STRING}
    duck.load(schema("s", properties, ["id"]), record("s", {"id": 1}))
    sentence = r"key of stream 's' was \(id\) and is now \(id, month\)"
    with pytest.raises(TargetError, match=sentence):
        duck.load(schema("s", properties, ["id", "month"]), record("s", {"id": 1, "month": "x"}))
    with pytest.raises(TargetError, match=sentence):
        duck.load(schema("s", properties, ["id"]), schema("s", properties, ["id", "month"]))
    with pytest.raises(TargetError, match=r"is now \(none\)"):
        duck.load(schema("s", properties), record("s", {"id": 1}))
    assert duck.query("FROM s") == [(1, None)]


def test_table_with_a_primary_key_is_loaded_but_cannot_change(duck: Any, schema: Any, record: Any) -> None:
    duck.query("CREATE TABLE s (id INTEGER PRIMARY KEY, name VARCHAR); INSERT INTO s VALUES (1, 'a'), (2, 'b')")
    head = schema("s", {"id": {"type": "integer", "x-sql-datatype": "INTEGER"}, "name": STRING}, ["id"])
    duck.load(head, record("s", {"id": 2, "name": "c"}))
    assert duck.query("FROM s ORDER BY 1") == [(1, "a"), (2, "c")]
    with pytest.raises(TargetError, match="must become BIGINT, but an index or a constraint"):
        duck.load(schema("s", {"id": INTEGER, "name": STRING}, ["id"]), record("s", {"id": 3}))
    duck.query("CREATE TABLE r (id INTEGER PRIMARY KEY)")
    with pytest.raises(TargetError, match=r"was \(id\) and is now \(name\)"):
        duck.load(schema("r", {"name": STRING}, ["name"]))


@pytest.mark.parametrize(
    ("definition", "kind", "place"),
    [
        ("mine VARCHAR NOT NULL", "NOT NULL", "column 'mine' of table 's'"),
        ('"is mine" VARCHAR NOT NULL', "NOT NULL", "column 'is mine' of table 's'"),
        ("name VARCHAR NOT NULL", "NOT NULL", "column 'name' of table 's'"),
        ("name VARCHAR CHECK (name <> 'secret')", "CHECK", "table 's'"),
        ("name VARCHAR, CHECK (name IS DISTINCT FROM 'secret')", "CHECK", "table 's'"),
        ("name VARCHAR UNIQUE", "(PRIMARY KEY or )?UNIQUE", "table 's'"),
        ("name VARCHAR REFERENCES other (name)", "FOREIGN KEY", "table 's'"),
        ("name VARCHAR UNIQUE CHECK (name <> 'secret')", "CHECK", "table 's'"),
    ],
)
def test_constraint_error_names_the_constraint(
    *, duck: Any, schema: Any, record: Any, definition: str, kind: str, place: str
) -> None:
    duck.query("CREATE TABLE other (name VARCHAR PRIMARY KEY)")
    duck.query(f"CREATE TABLE s (id BIGINT, {definition})")
    head = schema("s", {"id": INTEGER, "name": STRING}, ["id"])
    names = ["secret", "secret", None]
    with pytest.raises(
        TargetError, match=rf"^Stream 's': a {kind} constraint on {place} rejects its records"
    ) as caught:
        duck.load(
            head, *(record("s", {"id": n, "name": name}) for n, name in enumerate(names)), {"type": "STATE", "value": 1}
        )
    assert "secret" not in str(caught.value)
    assert duck.query("SELECT count(*) FROM s") == [(0,)]


def test_foreign_key_error_names_the_table(duck: Any, schema: Any, record: Any) -> None:
    duck.query("CREATE TABLE s (id BIGINT PRIMARY KEY, name VARCHAR); INSERT INTO s VALUES (1, 'a')")
    duck.query("CREATE TABLE mine (id BIGINT REFERENCES s (id)); INSERT INTO mine VALUES (1)")
    with pytest.raises(
        TargetError, match=r"^Stream 's': a FOREIGN KEY constraint on table 's' from another table rejects its records"
    ):
        duck.load(schema("s", {"id": INTEGER, "name": STRING}, ["id"]), record("s", {"id": 1, "name": "b"}))


@pytest.mark.parametrize("method", ["upsert", "append-only", "overwrite"])
@pytest.mark.parametrize("mark", [{}, {"_sdc_deleted_at": "2024-01-01T00:00:00Z"}])
def test_user_defined_columns_get_their_defaults(
    *, duck: Any, schema: Any, record: Any, method: str, mark: dict[str, str]
) -> None:
    duck.query("CREATE SEQUENCE numbers")
    duck.query(
        "CREATE TABLE s (id BIGINT, made TIMESTAMP DEFAULT now(), kind INTEGER NOT NULL DEFAULT 7, name VARCHAR,"
        " number BIGINT DEFAULT nextval('numbers'), free VARCHAR)"
    )
    head = schema("s", {"id": INTEGER, "name": STRING}, ["id"])
    messages = [record("s", {"id": n, "name": "a"}, version=1) for n in (1, 2)]
    duck.load(head, *messages, {"type": "ACTIVATE_VERSION", "stream": "s", "version": 1}, load_method=method)
    before = duck.query("SELECT id, made, number FROM s ORDER BY id")
    assert [number for *_, number in before] == [1, 2]
    duck.query("UPDATE s SET kind = 8, free = 'mine' WHERE id = 2")
    duck.load(head, *(record("s", {"id": n, "name": "b", **mark}, version=1) for n in (2, 3)), load_method=method)
    rows = duck.query("SELECT id, kind, free, name, made IS NOT NULL, number FROM s ORDER BY id, number")
    new = (3, 7, None, "b", True, 4 if method == "append-only" else 3)
    if method == "append-only":
        assert rows[2:] == [(2, 7, None, "b", True, 3), new]
    else:
        assert rows == [(1, 7, None, "a", True, 1), (2, 8, "mine", "b", True, 2), new]
        assert duck.query("SELECT id, made, number FROM s WHERE id < 3 ORDER BY id") == before


def test_view_named_like_the_table_is_an_error(duck: Any, schema: Any) -> None:
    duck.query("CREATE VIEW s AS SELECT 1 AS id")
    with pytest.raises(TargetError, match="a view has its name"):
        duck.load(schema("s", {"id": INTEGER}, ["id"]))


def test_metadata_columns_of_other_loaders_keep_their_types(duck: Any, schema: Any, record: Any) -> None:
    duck.query("CREATE TABLE s (id BIGINT, _sdc_batched_at TIMESTAMP, _sdc_deleted_at VARCHAR)")
    duck.load(schema("s", {"id": INTEGER}, ["id"]), record("s", {"id": 1}))
    ((batched, deleted),) = duck.query("SELECT _sdc_batched_at, _sdc_deleted_at FROM s")
    assert abs(datetime.now(UTC).replace(tzinfo=None) - batched).total_seconds() < 3600
    assert deleted is None


METADATA_COLUMNS = [
    "_SDC_Sequence INTEGER, _sdc_Table_Version INTEGER, _SDC_DELETED_AT TIMESTAMP",
    "_sdc_sequence SMALLINT, _sdc_table_version VARCHAR, _sdc_deleted_at VARCHAR",
    "_sdc_sequence UINTEGER, _sdc_table_version DECIMAL(4, 0), _sdc_batched_at INTEGER",
    "_SDC_EXTRACTED_AT DATE, _sdc_table_version DOUBLE, _SDC_received_at BOOLEAN",
]


@pytest.mark.parametrize("settings", [{}, {"add_metadata_columns": True}, {"load_method": "overwrite"}])
def test_metadata_columns_of_other_loaders_are_found_regardless_of_case(
    *, duck: Any, schema: Any, record: Any, settings: dict[str, Any]
) -> None:
    tables = {f"s{number}": columns for number, columns in enumerate(METADATA_COLUMNS)}
    for table, columns in tables.items():
        duck.query(f"CREATE TABLE {table} (id BIGINT, {columns}); INSERT INTO {table} (id) VALUES (1)")
    first = 1_700_000_000_000
    for version in (first, first + 1):
        messages = []
        for table in tables:
            rows = [record(table, {"id": n}, version=version, time_extracted="2024-01-01T00:00:00Z") for n in (2, 3)]
            activate = {"type": "ACTIVATE_VERSION", "stream": table, "version": version}
            messages += [schema(table, {"id": INTEGER}, ["id"]), *rows, activate]
        duck.load(*messages, **settings)
    for table in tables:
        assert duck.query(f"SELECT id FROM {table} WHERE _sdc_deleted_at IS NULL ORDER BY 1") == [(2,), (3,)]
        versions = duck.query(f"SELECT DISTINCT TRY_CAST(_sdc_table_version AS BIGINT) FROM {table} WHERE id > 1")
        assert versions == [(first + 1,)]
        names = [name.lower() for name in duck.types(table)]
        assert len(names) == len(set(names))
        assert not [name for name in names if name.endswith("_2")]


def test_non_numeric_versions_are_ignored(duck: Any, schema: Any, record: Any) -> None:
    duck.query("CREATE TABLE s (id BIGINT, _sdc_table_version VARCHAR); INSERT INTO s VALUES (1, 'v1'), (2, '3')")
    activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": 4}
    duck.load(schema("s", {"id": INTEGER}, ["id"]), record("s", {"id": 3}, version=4), activate, hard_delete=True)
    assert duck.query("SELECT id, _sdc_table_version FROM s") == [(3, "4")]
    duck.query("INSERT INTO s (id, _sdc_table_version) VALUES (7, 'v1')")
    duck.load(schema("s", {"id": INTEGER}, ["id"]), record("s", {"id": 5}, version=4), load_method="overwrite")
    assert duck.query("SELECT id FROM s ORDER BY 1") == [(3,), (5,), (7,)]


def test_property_named_like_a_metadata_column_keeps_its_column(duck: Any, schema: Any, record: Any) -> None:
    columns = {"id": INTEGER, "_SDC_sequence": STRING}
    for settings in ({}, {"add_metadata_columns": True}, {}):
        duck.load(schema("s", columns, ["id"]), record("s", {"id": 1, "_SDC_sequence": "mine"}), **settings)
    assert duck.query("SELECT _SDC_sequence, _sdc_sequence_2 > 0 FROM s") == [("mine", True)]
