"""The state of the taps and the locks of the tasks, in PostgreSQL.

The state has a row per stream, so that groups of streams can be changed at any time. It is saved by the session that
holds the lock: whoever has lost the lock cannot save.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString, Self

import psycopg

if TYPE_CHECKING:
    from types import TracebackType

SETUP: LiteralString = """
CREATE SCHEMA IF NOT EXISTS hrtaps;
CREATE TABLE IF NOT EXISTS hrtaps.state (
    tenant text, tap text, stream text, part text, run text NOT NULL, bookmark json NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, tap, stream, part)
);
"""
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds after which the server notices that this machine is gone, and frees the locks."""


class LockedError(RuntimeError):
    """Another task loads the same. The message says so."""


@dataclass(frozen=True)
class Database:
    """Where the PostgreSQL database is."""

    host: str
    port: int
    user: str
    password: str
    name: str

    def loader_settings(self) -> dict[str, Any]:
        """Returns the settings of target-postgres."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password or "not checked",  # the loader requires one, even if the server does not
            "database": self.name,
            "use_copy": True,
            "sanitize_null_text_characters": True,
        }


class Store:
    """A session with locks, through which the state of a tenant's tap is read and saved.

    Args:
        database: The database.
        tenant: The tenant.
        tap: The tap.
        run: The run of the DAG, in which a full refresh or a back-fill continues.
        part: The part of a back-fill, such as `people/2/4`.
    """

    def __init__(self, database: Database, tenant: str, tap: str, run: str, part: str = "") -> None:
        self._tenant, self._tap, self._run, self._part = tenant, tap, run, part
        self._saved: dict[str, Any] = {}
        self._connection = psycopg.connect(
            host=database.host,
            port=database.port,
            user=database.user,
            password=database.password or None,
            dbname=database.name,
            autocommit=True,
            application_name="hrtaps",
            **KEEPALIVE,
        )

    def __enter__(self) -> Self:
        """Enters the context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the session, which frees its locks."""
        self._connection.close()

    def prepare(self, schema: str | None) -> None:
        """Creates the table of the state, and the schema of the loader: several loaders at once would fail to do so."""
        with self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", [_key("setup")])
            self._connection.execute(SETUP)
            if schema:
                self._connection.execute(
                    psycopg.sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(psycopg.sql.Identifier(schema))
                )

    def lock(self, name: str, wait: int, *, shared: bool = False) -> None:
        """Takes a lock until the session ends.

        Args:
            name: What must not be loaded twice at the same time.
            wait: How many seconds to wait for it.
            shared: Whether others may share the lock.

        Raises:
            LockedError: If another session holds it for longer.
        """
        function: LiteralString = "pg_advisory_lock_shared" if shared else "pg_advisory_lock"
        try:
            with self._connection.transaction():
                self._connection.execute(psycopg.sql.SQL("SET LOCAL lock_timeout = {}").format(f"{wait}s"))
                self._connection.execute(
                    psycopg.sql.SQL("SELECT {}(%s)").format(psycopg.sql.SQL(function)), [_key(name)]
                )
        except psycopg.errors.LockNotAvailable:
            raise LockedError(f"Another task has been loading {name} for more than {wait} seconds.") from None

    def end_loaders(self, application: str, wait: int = 60) -> None:
        """Ends what the loaders of earlier holders of the lock still do in the database.

        Args:
            application: What the names begin with under which the loaders connect.
            wait: How many seconds to wait until it has ended.

        Raises:
            LockedError: If it does not end.
        """
        sql: LiteralString = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, %s)"
        )
        for _ in range(wait * 10):
            if not self._connection.execute(sql, [application]).fetchall():
                return
            time.sleep(0.1)
        raise LockedError("The loader of an earlier task does not end.")

    def read(self, *, this_run_only: bool) -> dict[str, Any]:
        """Returns the state.

        Args:
            this_run_only: Whether to leave out what earlier runs have saved, as a full refresh does.
        """
        rows = self._connection.execute(
            "SELECT stream, bookmark FROM hrtaps.state "
            "WHERE tenant = %s AND tap = %s AND part = %s AND (run = %s OR NOT %s)",
            [self._tenant, self._tap, self._part, self._run, this_run_only],
        )
        return {"bookmarks": dict(rows.fetchall())}

    def read_parts(self, group: str) -> list[dict[str, Any]]:
        """Returns the states of the parts of a group, as this run has saved them."""
        rows = self._connection.execute(
            "SELECT json_object_agg(stream, bookmark) FROM hrtaps.state "
            "WHERE tenant = %s AND tap = %s AND starts_with(part, %s) AND run = %s GROUP BY part ORDER BY part",
            [self._tenant, self._tap, f"{group}/", self._run],
        )
        return [{"bookmarks": bookmarks} for (bookmarks,) in rows]

    def forget_parts(self, group: str) -> None:
        """Deletes the states of the parts that earlier runs have saved for a group."""
        self._connection.execute(
            "DELETE FROM hrtaps.state WHERE tenant = %s AND tap = %s AND starts_with(part, %s) AND run <> %s",
            [self._tenant, self._tap, f"{group}/", self._run],
        )

    def save(self, state: dict[str, Any]) -> None:
        """Saves the streams that have changed since the last state, all or none."""
        changed = [
            [self._tenant, self._tap, stream, self._part, self._run, json.dumps(bookmark)]
            for stream, bookmark in state.get("bookmarks", {}).items()
            if self._saved.get(stream) != bookmark
        ]
        with self._connection.transaction():
            self._connection.cursor().executemany(
                "INSERT INTO hrtaps.state (tenant, tap, stream, part, run, bookmark) VALUES (%s, %s, %s, %s, %s, %s) "
                "ON CONFLICT (tenant, tap, stream, part) "
                "DO UPDATE SET run = excluded.run, bookmark = excluded.bookmark, saved_at = now()",
                changed,
            )
        self._saved = state.get("bookmarks", {})


def application_name(name: str, part: str) -> str:
    """Returns the name under which a loader connects. That of everything is the beginning of those of its parts."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]  # PostgreSQL takes no more than 63 bytes
    return f"hrtaps {digest} {part} " if part else f"hrtaps {digest} "


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"hrtaps {name}".encode()).digest()[:8], "big", signed=True)
