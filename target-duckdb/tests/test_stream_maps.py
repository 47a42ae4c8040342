"""Stream maps work as in other targets of the SDK; warnings for unknown settings."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError
from target_duckdb.errors import TargetError

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}
COLUMNS = {"id": INTEGER, "email": STRING, "name": STRING}
STATE = {"type": "STATE", "value": {"bookmark": 1}}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]


@pytest.fixture(name="messages")
def messages_fixture(schema: Any, record: Any) -> list[Any]:
    rows = [record("people", {"id": n, "email": f"{n}@x", "name": "secret"}) for n in range(20)]
    return [
        schema("people", COLUMNS, ["id"]),
        *rows,
        schema("other", COLUMNS, ["id"]),
        record("other", {"id": 1}),
        STATE,
    ]


def test_hashed_column_is_never_stored_unhashed(
    duck: Any, messages: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    maps = {"people": {"email": "sha256(config['salt'] + email)", "name": None, "domain": "email.split('@')[1]"}}
    states = duck.load(*messages, stream_maps=maps, stream_map_config={"salt": "pepper"}, batch_size_rows=7)
    assert states[-1] == '{"bookmark": 1}'
    assert duck.types("people") == {"id": "BIGINT", "email": "VARCHAR", "domain": "VARCHAR"}
    assert duck.query("FROM people ORDER BY id") == [(n, _sha256(f"pepper{n}@x"), "x") for n in range(20)]
    assert duck.query("FROM other") == [(1, None, None)]
    assert "pepper" not in caplog.text
    assert "sha256" not in caplog.text


@pytest.mark.parametrize(
    ("maps", "tables"),
    [
        ({"people": None}, ["other"]),
        ({"people": "__NULL__", "other": {"__alias__": "rest"}}, ["rest"]),
        ({"__else__": None, "people": {"__alias__": "persons"}}, ["persons"]),
        ({"copy": {"__source__": "people", "__else__": None, "id": "id"}}, ["copy", "other", "people"]),
        ({"*": {"__alias__": "'x_' + __stream_name__"}}, ["x_other", "x_people"]),
    ],
)
def test_streams_are_removed_renamed_and_duplicated(
    duck: Any, messages: list[Any], maps: Any, tables: list[str]
) -> None:
    duck.load(*messages, stream_maps=maps)
    assert duck.tables() == tables
    if "copy" in tables:
        assert duck.query("SELECT * FROM copy ORDER BY id") == [(n,) for n in range(20)]
        assert duck.query("SELECT count(email) FROM people") == [(20,)]


def test_records_are_filtered_and_keys_changed(duck: Any, messages: list[Any]) -> None:
    duck.load(
        *messages, stream_maps={"people": {"__filter__": "id % 2 == 0 and id < 5", "__key_properties__": ["email"]}}
    )
    assert duck.query("SELECT id FROM people ORDER BY 1") == [(0,), (2,), (4,)]
    duck.load(
        *messages, stream_maps={"people": {"__filter__": "bool(id == 0)", "__key_properties__": ["email"], "id": "7"}}
    )
    assert duck.query("SELECT id FROM people ORDER BY 1") == [(2,), (4,), (7,)]


def test_values_without_an_expression_keep_their_text(duck: Any, schema: Any) -> None:
    columns = {"id": INTEGER, "more": {"type": "object"}, "amount": {"type": "string", "format": "singer.decimal"}}
    columns |= {"number": {"type": "number"}, "renamed": {}, "text": STRING, "large": {"type": "number"}}
    raw = (
        r'{"id": 1, "more": {"a":  1.50, "b": "\ud800"}, "amount": 12345678901234567.89, "number": NaN,'
        r' "text": "\ud800", "large": 1}'
    )
    maps = {"s": {"renamed": "more", "id": "id + 1", "large": "float('inf')"}}
    duck.load(schema("s", columns, ["id"]), f'{{"type": "RECORD", "stream": "s", "record": {raw}}}', stream_maps=maps)
    kept = r'{"a":  1.50, "b": "\\ud800"}'
    assert duck.query("SELECT id, more, amount::VARCHAR, isnan(number), renamed, text, large FROM s") == [
        (2, kept, "12345678901234567.8900000000", True, kept, r"\ud800", float("inf"))
    ]


def test_versions_of_a_renamed_stream_delete_its_rows(duck: Any, schema: Any, record: Any) -> None:
    def run(version: int, *numbers: int) -> list[Any]:
        rows = [record("people", {"id": n, "email": "x"}, version=version) for n in numbers]
        return [
            schema("people", COLUMNS, ["id"]),
            *rows,
            {"type": "ACTIVATE_VERSION", "stream": "people", "version": version},
        ]

    maps = {
        "people": {"__alias__": "persons", "email": "md5(email)"},
        "copy": {"__source__": "people", "__else__": None, "id": "id"},
    }
    duck.load(*run(1, 1, 2, 3), stream_maps=maps)
    duck.load(*run(2, 1, 3), stream_maps=maps)
    for name in ("persons", "copy"):
        assert duck.query(f"SELECT id FROM {name} WHERE _sdc_deleted_at IS NULL ORDER BY 1") == [(1,), (3,)]
    duck.load(*run(3, 1), stream_maps=maps, process_activate_version_messages=False)
    assert duck.query("SELECT count(*) FROM persons WHERE _sdc_deleted_at IS NULL") == [(2,)]


def test_merged_streams_do_not_delete_each_others_rows(
    duck: Any, schema: Any, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    messages: list[Any] = [schema(name, {"id": INTEGER, name: STRING}, ["id"]) for name in "ab"]
    for n in range(8):
        messages += [
            record(name, {"id": n + place, name: str(n)}, version=place) for place, name in enumerate("ab", start=10)
        ]
    messages += [
        {"type": "ACTIVATE_VERSION", "stream": name, "version": place} for place, name in enumerate("ab", start=10)
    ]
    duck.load(*messages, stream_maps={name: {"__alias__": "merged"} for name in "ab"})
    assert duck.query("SELECT id, a, b FROM merged WHERE _sdc_deleted_at IS NULL ORDER BY id") == [
        (10, "0", None),
        *((n, str(n - 10), str(n - 11)) for n in range(11, 18)),
        (18, None, "7"),
    ]
    assert len([warning for warning in _warnings_in(caplog) if "ACTIVATE_VERSION" in warning]) == 1


def test_records_in_batch_files_are_mapped(duck: Any, schema: Any) -> None:
    path = duck.folder / "a.jsonl"
    path.write_text('{"id": 1, "email": "a@x"}\n{"id": 2, "email": "b@x"}\n')
    batch = {"type": "BATCH", "stream": "people", "encoding": {"format": "jsonl"}, "manifest": [str(path)]}
    maps = {"people": {"email": "sha256(email)", "__filter__": "id == 2"}}
    duck.load(schema("people", COLUMNS, ["id"]), batch, stream_maps=maps)
    assert duck.query("SELECT id, email FROM people") == [(2, _sha256("b@x"))]
    batch["manifest"] = ["/none"]
    duck.load(schema("people", COLUMNS, ["id"]), batch, stream_maps={"people": None})


def test_records_that_cannot_be_mapped_are_not_stored(duck: Any, schema: Any, record: Any) -> None:
    deep = "[" * 5000 + "]" * 5000
    messages = [
        schema("people", COLUMNS, ["id"]),
        '{"type": "RECORD", "stream": "people", "record": ["secret"]}',
        '{"type": "RECORD", "stream": "people"}',
        f'{{"type": "RECORD", "stream": "people", "record": {{"email": "secret", "name": {deep}}}}}',
        record("people", {"email": "a@x", "name": "x"}),
    ]
    duck.load(*messages, stream_maps={"people": {"email": "sha256(email)", "name": None}})
    rows = duck.query("SELECT record, reason FROM _rejected ORDER BY received")
    assert rows == [
        (None, "The record is not an object."),
        (None, "The record is missing."),
        (None, "The record is nested too deeply."),
        (f'{{"email":"{_sha256("a@x")}"}}', "The record has no value for the key property 'id'."),
    ]


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ({"email": "md5(email)"}, "of property 'email'"),
        ({"email": "nobody + email"}, "of property 'email'"),
        ({"__filter__": "email.upper() == 'SECRET'"}, "that filters records"),
    ],
)
def test_error_names_the_failed_expression_but_no_values(
    duck: Any, messages: list[Any], record: Any, expression: Any, place: str
) -> None:
    messages.insert(2, record("people", {"id": 5, "email": None, "name": "secret"}))
    with pytest.raises(
        TargetError, match=rf"^Line \d of the input cannot be loaded: the stream map {place} of"
    ) as caught:
        duck.load(*messages, stream_maps={"people": expression})
    assert "secret" not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("maps", "sentence"),
    [
        (
            {"people": {"email": "md5(email"}},
            "The setting stream_maps.people.email is not a valid expression.",
        ),
        (
            {"people": {"__filter__": ""}},
            "The setting stream_maps.people.__filter__ is not a valid expression.",
        ),
        ({"people": 5}, "The setting stream_maps.people is not valid."),
        ({"people": {"email": 5}}, "The setting stream_maps.people is not valid."),
    ],
)
def test_invalid_maps_are_reported(duck: Any, messages: list[Any], maps: Any, sentence: str) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        duck.load(*messages, stream_maps=maps)
    assert caught.value.errors[0].startswith(sentence)


@pytest.mark.parametrize(
    "map_", [{"id": None}, {"__else__": None, "email": "email"}, {"__key_properties__": ["nothing"]}]
)
def test_map_that_removes_the_key_is_an_error(duck: Any, messages: list[Any], map_: Any) -> None:
    with pytest.raises(TargetError, match="the setting stream_maps does not fit stream 'people': "):
        duck.load(*messages, stream_maps={"people": map_})


def test_misspelled_names_in_maps_are_warned_about(
    duck: Any, messages: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    duck.load(*messages, stream_maps={"peoples": {"email": None}, "elsewhere": {"a": None}, "people": {"emial": None}})
    property_ = "removes property 'emial' of stream 'people', which does not exist. Did you mean 'email'?"
    assert _warnings_in(caplog) == [
        f"The setting stream_maps {property_}",
        "The setting stream_maps is for stream 'peoples', which is not in the input. Did you mean 'people'?",
    ]


def test_flattening_follows_maps_and_accepts_sdk_settings(duck: Any, schema: Any, record: Any) -> None:
    inner = {
        "type": "object",
        "properties": {"city": STRING, "geo": {"type": "object", "properties": {"lat": INTEGER}}},
    }
    messages = [
        schema("s", {"id": INTEGER, "address": inner}, ["id"]),
        record("s", {"id": 1, "address": {"city": "x", "geo": {"lat": 2}, "more": 1}}),
    ]
    settings = {"flattening_enabled": True, "flattening_max_depth": 2, "flattening_separator": "."}
    duck.load(*messages, stream_maps={"s": {"city": "address['city']"}}, **settings)
    assert duck.query('SELECT id, "address.city", "address.geo.lat", address, city FROM s') == [
        (1, "x", 2, '{"more":1}', "x")
    ]
    whole = schema("s", {"id": INTEGER, "address": {"type": "object"}}, ["id"])
    duck.load(whole, record("s", {"id": 1, "address": {"city": "y"}}), **settings)
    assert duck.query('SELECT "address.city", "address.geo.lat", address FROM s') == [(None, None, '{"city": "y"}')]
    duck.query("DROP TABLE s")
    duck.load(*messages, **settings, flattening_max_key_length=15)
    assert duck.query('SELECT "address.city", "add.geo.lat", address FROM s') == [("x", 2, '{"more":1}')]
    with pytest.raises(ConfigValidationError) as caught:
        duck.load(*messages, flattening_enabled=True)
    assert caught.value.errors[0].startswith("The setting flattening_enabled requires flattening_max_depth")


# Settings


def test_unknown_settings_get_a_suggestion(duck: Any, messages: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    settings = {"hard_deletes": "secret", "zzz": 1, "_remark": "x", "validate_records": False, "batch_config": None}
    duck.load(*messages, **settings)
    assert _warnings_in(caplog) == [
        "The setting 'hard_deletes' is unknown and has no effect. Did you mean 'hard_delete'?",
        "The setting 'zzz' is unknown and has no effect.",
    ]


def test_unknown_environment_variables_are_reported(duck: Any) -> None:
    environment = {f"TARGET_DUCKDB_{name}": "1" for name in ("BATCH_SIZE_ROW", "HARD_DELETE", "_EXTRA", "LOGLEVEL")}
    environment |= {"TARGET_DUCKDB_PATH": str(duck.path), "TARGET_DUCKDB_LOGLEVEL": "INFO"}
    config = duck.config_file()
    run = duck.start("--config", "ENV", environment=environment, stderr=-1)
    _, errors = run.communicate("")
    assert run.returncode == 0, config
    assert [line.split(" | ")[-1] for line in errors.splitlines() if "WARNING" in line] == [
        "The setting 'batch_size_row' is unknown and has no effect. Did you mean 'batch_size_rows'?"
    ]


def test_null_settings_have_their_defaults(duck: Any, messages: list[Any]) -> None:
    nulls = dict.fromkeys(
        (
            "default_target_schema",
            "batch_size_rows",
            "memory_limit",
            "lock_timeout",
            "load_method",
            "nested",
            "filepath",
        )
    )
    nulls |= dict.fromkeys(
        ("stream_maps", "stream_map_config", "flattening_enabled", "attach", "catalog", "state_id", "token")
    )
    nulls |= dict.fromkeys(("add_metadata_columns", "hard_delete", "data_flattening_max_level", "on_bad_record"))
    duck.load(*messages, **nulls)
    assert duck.query("SELECT count(*) FROM main.people") == [(20,)]
    attach = [{"path": str(duck.folder / "b.duckdb"), "alias": "b", "options": None}]
    duck.load(*messages, attach=attach, catalog="b")


def test_sdk_setting_adds_metadata_columns(duck: Any, messages: list[Any]) -> None:
    duck.load(*messages, add_record_metadata=True)
    assert duck.query("SELECT count(_sdc_received_at) FROM people") == [(20,)]
    assert json.loads(duck.state()[0][1]) == {"bookmark": 1}
