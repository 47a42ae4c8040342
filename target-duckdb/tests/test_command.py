"""The command line, the settings, and the output of the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from target_duckdb.errors import TargetError
from target_duckdb.target import TargetDuckDB

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

INTEGER = {"type": "integer"}
_GONE = "The setting catalog is a database in memory, which is lost at the end: set it to an attached file."


def _run_command(*arguments: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "target_duckdb", *arguments],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_about_lists_every_setting() -> None:
    run = _run_command("--about", "--format=json")
    about = json.loads(run.stdout)
    assert run.returncode == 0
    assert about["name"] == "target-duckdb"
    assert set(about["capabilities"]) == {
        "about",
        "activate-version",
        "batch",
        "hard-delete",
        "schema-flattening",
        "stream-maps",
        "structured-logging",
        "target-schema",
    }
    settings = about["settings"]["properties"]
    assert {name: settings[name].get("default") for name in settings} == {
        "path": None,
        "filepath": None,
        "default_target_schema": "main",
        "batch_size_rows": 122_880,
        "add_metadata_columns": False,
        "load_method": "upsert",
        "hard_delete": False,
        "on_bad_record": "set_aside",
        "on_fragment": "warn",
        "primary_key_required": False,
        "data_flattening_max_level": 0,
        "nested": "json",
        "remove_batch_files": False,
        "storage_version": None,
        "lock_timeout": 60,
        "memory_limit": "512MB",
        "temp_dir": None,
        "state_id": None,
        "tombstone_key_file": None,
        "retention": None,
        "token": None,
        "attach": None,
        "catalog": None,
        # Settings of the SDK.
        "add_record_metadata": None,
        "process_activate_version_messages": True,
        "batch_config": None,
        **dict.fromkeys(("stream_maps", "stream_map_config", "faker_config")),
        **{f"flattening_{name}": None for name in ("enabled", "max_depth", "max_key_length", "separator")},
    }
    assert {name for name in settings if settings[name].get("secret")} == {"token", "attach"}


def _run_main(*arguments: str) -> int:
    """Runs the command in this process. Returns its exit code."""
    with pytest.raises(SystemExit) as caught:
        TargetDuckDB.get_singer_command().main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run_main("--version") == 0
    assert capsys.readouterr().out.startswith("target-duckdb v0.")


def test_settings_from_the_environment_apply(duck: Any, schema: Any, record: Any) -> None:
    messages = [schema("s", {"id": INTEGER}, ["id"]), record("s", {"id": 1}), {"type": "STATE", "value": {"é": 1.50}}]
    run = _run_command(
        "--config=ENV",
        text="".join(json.dumps(message, ensure_ascii=False) + "\n" for message in messages),
        TARGET_DUCKDB_FILEPATH=str(duck.path),
        TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA="other",
        TARGET_DUCKDB_STATE_ID="mine",
        TARGET_DUCKDB_ADD_METADATA_COLUMNS="true",
        TARGET_DUCKDB_LOCK_TIMEOUT="5",
    )
    assert run.returncode == 0
    assert json.loads(run.stdout) == {"é": 1.5}
    assert duck.query("SELECT id, _sdc_received_at IS NOT NULL FROM other.s") == [(1, True)]
    assert duck.query("SELECT state_id FROM other._singer_state") == [("mine",)]


def test_failure_is_one_line_and_exit_code_1(duck: Any, schema: Any) -> None:
    run = duck.run(schema("s", {"id": INTEGER}, ["id"]), '{"type": "RECORD", "stream": "s", "record": {"id": "secret"')
    assert run.returncode == 1
    assert run.stdout == ""
    failures = [line for line in run.stderr.splitlines() if "ERROR" in line]
    assert len(failures) == 1
    assert failures[0].endswith("Line 2 of the input cannot be loaded: it is not JSON, or it is truncated.")
    assert "Traceback" not in run.stderr
    assert "secret" not in run.stderr


def test_unexpected_error_shows_no_traceback_and_no_data(
    duck: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(TargetDuckDB, "listen", fail)
    with pytest.raises(SystemExit) as caught:
        TargetDuckDB.invoke(config=type("Config", (), {"config": duck.config(), "parse_env": False})())
    assert caught.value.code == 1
    assert "Unexpected error (ZeroDivisionError at test_command.py:" in caplog.text
    assert "secret" not in caplog.text
    assert list(duck.spool.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"path": None}, "The setting path is missing: set it to the DuckDB file to load into."),
        ({"path": ":memory:"}, "The setting path is a database in memory, which is lost at the end"),
        (
            {"attach": [{"alias": "12345678"}]},
            'The setting attach.0 is not valid (required: ["path"]). Databases to attach',
        ),
        ({"attach": [{"path": "x", "options": {"a) 12345678": 1}}]}, "The setting attach.0.options is not valid"),
        ({"attach": ["12345678/none/x.duckdb"]}, "Entry 1 of the setting `attach` cannot be attached: check its path"),
        ({"catalog": "12345678"}, "The setting `catalog` must name a database opened by `path` or `attach`."),
        ({"path": ":memory:", "catalog": "Memory"}, _GONE),
        ({"catalog": "temp"}, _GONE),
        ({"catalog": "SYSTEM", "attach": ["x"]}, _GONE),
        ({"path": ":memory:", "catalog": "mine", "attach": [{"path": ":memory:", "alias": "Mine"}]}, _GONE),
        ({"token": 12345678}, 'The setting token is not valid (type: ["string", "null"]).'),
        (
            {"load_method": "replace"},
            'The setting load_method is not valid (enum: ["upsert", "append-only", "overwrite"]).',
        ),
        (
            {"default_target_schema": ""},
            "The setting default_target_schema is empty: set it to a schema, such as 'main'.",
        ),
        ({"batch_size_rows": 0}, "The setting batch_size_rows is not valid (minimum: 1)."),
        ({"data_flattening_max_level": -1}, "How many levels of nested objects are flattened"),
        (
            {"memory_limit": "12345678 apples"},
            "The setting memory_limit is not a size in DuckDB's notation, such as '512MB'.",
        ),
    ],
)
def test_invalid_settings_are_reported_in_one_sentence(
    duck: Any, settings: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = {key: value for key, value in duck.config(**settings).items() if value is not None}
    source = duck.folder / "input"
    source.write_text('{"type": "STATE", "value": 1}\n')
    with source.open() as file, pytest.raises(SystemExit) as caught:
        TargetDuckDB.invoke(config=type("Config", (), {"config": config, "parse_env": False})(), file_input=file)
    assert caught.value.code == 1
    assert sentence in caplog.text
    assert "12345678" not in caplog.text
    assert "Traceback" not in caplog.text


def test_unreadable_config_files_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"token": "secret"')
    for path, sentence in (
        (broken, "is not a JSON object"),
        (tmp_path / "none.json", "given with --config does not exist."),
        (tmp_path, "cannot be read: "),
    ):
        assert _run_main("--config", str(path)) == 1
        assert sentence in caplog.text
        assert "secret" not in caplog.text


def test_environment_variable_with_invalid_type_is_reported_without_its_value(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TARGET_DUCKDB_PATH", "x.duckdb")
    monkeypatch.setenv("TARGET_DUCKDB_BATCH_SIZE_ROWS", "secret")
    assert _run_main("--config=ENV") == 1
    assert (
        "The value of an environment variable TARGET_DUCKDB_... does not have the type of its setting." in caplog.text
    )
    assert "secret" not in caplog.text


def test_stream_without_key_is_an_error_if_a_key_is_required(duck: Any, schema: Any) -> None:
    with pytest.raises(TargetError, match="stream 's' has no key properties, but the setting"):
        duck.load(schema("s", {"id": INTEGER}), primary_key_required=True)


def test_closed_standard_output_is_reported(duck: Any) -> None:
    config = duck.folder / "config.json"
    config.write_text(json.dumps(duck.config()))
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [sys.executable, "-m", "target_duckdb", "--config", str(config)],
        input='{"type": "STATE", "value": 1}\n',
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert run.returncode == 1
    assert "Standard output was closed" in run.stderr
    assert "Traceback" not in run.stderr
