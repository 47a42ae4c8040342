"""Fixtures that load messages into a temporary DuckDB file and query the result."""

from __future__ import annotations

import functools
import io
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from target_duckdb.target import TargetDuckDB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def encode_messages(*messages: dict[str, Any] | bytes | str) -> bytes:
    """Encodes messages as a tap does. Bytes and text are unchanged."""
    parts = [
        message
        if isinstance(message, bytes)
        else (message if isinstance(message, str) else json.dumps(message)).encode()
        for message in messages
    ]
    return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts)


@functools.cache
def start_duckdb() -> duckdb.DuckDBPyConnection:
    """Returns a connection to attach files to: starting DuckDB takes longer than most queries."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


class Duck:
    """A DuckDB file and a target that loads into it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._path = folder / "hr.duckdb"
        self._is_attached = False
        self._is_shared = False
        self.spool = folder / "spool"
        self.spool.mkdir()
        self._capsys = capsys

    @property
    def path(self) -> Path:
        """The DuckDB file, closed, so that others can open it."""
        self.close()
        return self._path

    def config(self, **settings: Any) -> dict[str, Any]:
        return {"path": str(self.path), "temp_dir": str(self.spool), **settings}

    def config_file(self, **settings: Any) -> str:
        """Writes a config file. Returns its path."""
        path = self.folder / "shared.json"
        path.write_text(json.dumps(self.config(**settings)))
        return str(path)

    def load(self, *messages: dict[str, Any] | bytes | str, **settings: Any) -> list[str]:
        """Loads messages in this process. Returns the STATE lines."""
        target = TargetDuckDB(config=self.config(**settings))
        try:
            target.listen(io.BytesIO(encode_messages(*messages)))  # type: ignore[arg-type]
        finally:
            target.close()
        return self._capsys.readouterr().out.splitlines()

    def run(
        self, *messages: dict[str, Any] | bytes | str, environment: dict[str, str] | None = None, **settings: Any
    ) -> subprocess.CompletedProcess[str]:
        """Loads messages in a subprocess."""
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.config(**settings)))
        return subprocess.run(
            [sys.executable, "-m", "target_duckdb", "--config", str(config)],
            input=encode_messages(*messages).decode("utf-8", "surrogateescape"),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env={**os.environ, **(environment or {})},
            check=False,
        )

    def start(
        self,
        *arguments: str,
        stderr: int = subprocess.DEVNULL,
        environment: dict[str, str] | None = None,
        **settings: Any,
    ) -> subprocess.Popen[str]:
        """Starts a subprocess with pipes for input and output."""
        self._is_shared = True
        return subprocess.Popen(
            [sys.executable, "-m", "target_duckdb", "--config", self.config_file(**settings), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def query(self, sql: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        connection = start_duckdb()
        if not self._is_attached:
            connection.execute(f"ATTACH '{self._path}' AS hr")
            connection.execute("USE hr")
            self._is_attached = True
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            if self._is_shared:
                self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._is_attached:
            start_duckdb().execute("USE memory").execute("DETACH hr")
            self._is_attached = False

    def types(self, table: str) -> dict[str, str]:
        # Not of `duckdb_columns()`, which also lists the columns of DuckDB's own views.
        schemas = self.query("SELECT DISTINCT schema_name FROM duckdb_tables() WHERE table_name = ?", (table,))
        return {
            name: type_
            for (schema,) in schemas
            for name, type_ in self.query("SELECT name, type FROM pragma_table_info(?)", (f'"{schema}"."{table}"',))
        }

    def tables(self) -> list[str]:
        """Names of the tables of streams."""
        own = "starts_with(table_name, '_')"
        return [name for (name,) in self.query(f"SELECT table_name FROM duckdb_tables() WHERE NOT {own} ORDER BY 1")]

    def state(self) -> list[tuple[Any, ...]]:
        return self.query("SELECT state_id, state FROM _singer_state ORDER BY 1")


@pytest.fixture
def duck(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Duck]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    duck = Duck(tmp_path, capsys)
    yield duck
    duck.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def schema(stream: str, properties: dict[str, Any], keys: list[str] | None = None) -> dict[str, Any]:
    return {"type": "SCHEMA", "stream": stream, "schema": {"properties": properties}, "key_properties": keys or []}


def record(stream: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": values, **more}


@pytest.fixture(name="schema")
def schema_fixture() -> Any:
    return schema


@pytest.fixture(name="record")
def record_fixture() -> Any:
    return record
