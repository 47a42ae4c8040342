"""Attached and remote databases, and the committed state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from target_duckdb.database import Attachment, Database
from target_duckdb.errors import TargetError
from target_duckdb.target import TargetDuckDB

INTEGER = {"type": "integer"}
STATE = {"type": "STATE", "value": {"bookmark": 1.50}}
TOKEN = "invented-secret-token"
VARIABLE = "motherduck_token"  # read by MotherDuck


@pytest.fixture(name="messages")
def messages_fixture(schema: Any, record: Any) -> list[Any]:
    return [schema("s", {"id": INTEGER}, ["id"]), record("s", {"id": 1}), STATE]


def _committed_state(duck: Any, capsys: pytest.CaptureFixture[str], **settings: Any) -> str:
    """Returns the output of `--committed-state`."""
    config = duck.folder / "config.json"
    config.write_text(json.dumps(duck.config(**settings)))
    with pytest.raises(SystemExit) as caught:
        TargetDuckDB.get_singer_command().main(["--config", str(config), "--committed-state"])
    assert caught.value.code == 0
    return capsys.readouterr().out


# --committed-state


def test_committed_state_is_printed(duck: Any, messages: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    duck.load(*messages[:2])
    assert _committed_state(duck, capsys) == "{}\n"
    duck.load(*messages, state_id="mine")
    duck.load('{"type": "STATE", "value": {"é": 1.50}}', default_target_schema="Other")
    assert _committed_state(duck, capsys) == "{}\n"
    assert _committed_state(duck, capsys, state_id="mine") == '{"bookmark": 1.5}\n'
    assert _committed_state(duck, capsys, default_target_schema="Other") == '{"é": 1.50}\n'
    assert _committed_state(duck, capsys, default_target_schema="none") == "{}\n"
    assert list(duck.spool.iterdir()) == []


def test_warning_names_other_schemas_with_states(
    duck: Any, messages: list[Any], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    duck.load(*messages, default_target_schema="Tap_x")
    assert _committed_state(duck, capsys, default_target_schema="tap_X") == "{}\n"  # state IDs are case-sensitive
    assert _committed_state(duck, capsys) == "{}\n"
    assert "The schema 'main' has no state for 'main', but these schemas have states: Tap_x." in caplog.text


def test_home_folder_in_paths_is_expanded(
    duck: Any, messages: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(duck.folder))
    monkeypatch.chdir(duck.spool)
    settings = {"path": f"~/deep/{duck.path.name}", "temp_dir": "~"}
    duck.load(*messages, **settings)
    assert (duck.folder / "deep" / duck.path.name).exists()
    assert list(duck.spool.iterdir()) == []  # no folder named `~`
    assert _committed_state(duck, capsys, **settings) == '{"bookmark": 1.5}\n'


def test_committed_state_of_a_missing_file_is_an_error(
    duck: Any, messages: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    config = duck.folder / "config.json"
    config.write_text(json.dumps(duck.config(path=str(duck.folder / "none" / "x.duckdb"))))
    for _ in range(2):
        caplog.clear()
        with pytest.raises(SystemExit) as caught:
            TargetDuckDB.get_singer_command().main(["--config", str(config), "--committed-state"])
        assert caught.value.code == 1
        assert [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"] == [
            "The DuckDB file does not exist, so it has no state: check the setting `path`."
        ]
    assert not (duck.folder / "none").exists()


def test_committed_state_does_not_read_the_input(duck: Any, messages: list[Any]) -> None:
    duck.load(*messages)
    config = duck.folder / "config.json"
    config.write_text(json.dumps(duck.config()))
    read, write = os.pipe()  # input that never ends
    command = [sys.executable, "-m", "target_duckdb", "--config", str(config), "--committed-state"]
    run = subprocess.run(command, stdin=read, capture_output=True, text=True, check=False)
    os.close(read)
    os.close(write)
    assert (run.returncode, run.stdout) == (0, '{"bookmark": 1.5}\n')


# Attached databases


@pytest.mark.parametrize("path", [":memory:", None])
def test_tables_are_loaded_into_an_attached_database(
    duck: Any, messages: list[Any], capsys: pytest.CaptureFixture[str], path: str | None
) -> None:
    other = duck.folder / "other's.duckdb"
    settings = {
        "path": path or str(duck.path),
        "attach": [str(duck.folder / "unused.duckdb"), {"path": str(other), "alias": 'My "lake"'}],
        "catalog": 'my "lake"',
        "default_target_schema": "hr",
    }
    for method, version in (("upsert", 1), ("overwrite", 1), ("overwrite", 2)):
        activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}
        row = {"type": "RECORD", "stream": "s", "record": {"id": version}, "version": version}
        duck.load(messages[0], row, activate, messages[2], load_method=method, **settings)
    with duckdb.connect(str(other)) as connection:
        assert connection.execute("SELECT id FROM hr.s WHERE _sdc_deleted_at IS NULL").fetchall() == [(2,)]
        assert connection.execute("SELECT state_id FROM hr._singer_state").fetchall() == [("hr",)]
    assert other.stat().st_mode & 0o777 == 0o600
    assert _committed_state(duck, capsys, **settings) == '{"bookmark": 1.5}\n'
    if path is None:
        assert duck.query("SELECT count(*) FROM duckdb_tables()") == [(0,)]


def test_attached_catalog_can_have_the_name_memory(duck: Any, messages: list[Any]) -> None:
    path = duck.folder / "memory.duckdb"
    duck.load(*messages, path=str(path), catalog="memory")
    duck.load(*messages, catalog="MEMORY", attach=[{"path": str(duck.folder / "x.duckdb"), "alias": "memory"}])
    for file in (path, duck.folder / "x.duckdb"):
        with duckdb.connect(str(file)) as connection:
            assert connection.execute("FROM s").fetchall() == [(1,)]


def test_attach_options_are_passed_to_duckdb(duck: Any, messages: list[Any]) -> None:
    duck.load(*messages)
    read_only = {"path": str(duck.path), "alias": "hr", "options": {"read_only": True}}
    with pytest.raises(TargetError, match="cannot be written: check its permissions"):
        duck.load(*messages, path=":memory:", attach=[read_only], catalog="hr")
    assert Attachment("x", "y", {"data_path": "o'k", "n": 1.5}).attach_sql(read_only=True) == (
        """ATTACH 'x' AS "y" (DATA_PATH 'o''k', N 1.5, READ_ONLY True)"""
    )


def test_locked_attached_database_is_waited_for(duck: Any, messages: list[Any]) -> None:
    code = "import sys, time, duckdb; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(duck.path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        settings = {"path": ":memory:", "attach": [{"path": str(duck.path), "alias": "hr"}], "catalog": "hr"}
        with pytest.raises(TargetError, match="is still open in another process"):
            duck.load(*messages, lock_timeout=0, **settings)
        holder.kill()


# What needs the network; here it answers nothing


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "md:hr", "token": TOKEN},
        {"path": f"md:hr?motherduck_token={TOKEN}"},
        {"path": ":memory:", "attach": [{"path": "md:hr", "alias": "hr"}], "catalog": "hr", "token": TOKEN},
        {"path": ":memory:", "attach": [{"path": "ducklake:lake.ducklake", "alias": "hr"}], "catalog": "hr"},
    ],
)
@pytest.mark.parametrize(
    ("error_text", "sentence"),
    [
        ('Failed to download extension "motherduck" at URL "http://x"', "DuckDB cannot download an extension"),
        (f"Invalid token {TOKEN}", "check"),
    ],
)
def test_connection_errors_do_not_show_the_token(
    *,
    duck: Any,
    messages: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
    error_text: str,
    sentence: str,
) -> None:
    monkeypatch.setenv(VARIABLE, "")  # so that it is restored afterwards
    tokens: list[Any] = []
    real = duckdb.connect

    class Connection:
        def __init__(self, path: str, config: Any) -> None:
            tokens.append(config.get("motherduck_token") or os.environ.get(VARIABLE))
            if path.startswith("md:"):
                raise duckdb.IOException(error_text)
            self._real = real(path)

        def execute(self, sql: str) -> Any:
            if sql.startswith("ATTACH"):
                raise duckdb.IOException(error_text)
            return self._real.execute(sql)

        def close(self) -> None:
            self._real.close()

    monkeypatch.setattr("target_duckdb.database.duckdb.connect", lambda path, _, config: Connection(path, config))
    with pytest.raises(TargetError, match=sentence) as caught:
        duck.load(*messages, **settings)
    assert TOKEN not in str(caught.value) + caplog.text
    assert [token or None for token in tokens] == [settings.get("token")]
    assert not Path("md:hr").exists()


def test_token_is_used_for_motherduck_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    other = [Attachment("other.duckdb")]
    database = Database("hr.duckdb", memory_limit="1GB", lock_timeout=0, token=TOKEN, attach=other)
    assert "motherduck_token" not in database._config
    assert VARIABLE not in os.environ
