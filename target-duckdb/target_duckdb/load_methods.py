"""What `load_method` may ask for instead of an upsert."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from typing_extensions import override

from target_duckdb import merge
from target_duckdb.load import StreamLoad
from target_duckdb.streams import ActivateVersion
from target_duckdb.versions import newest_version

if TYPE_CHECKING:
    from target_duckdb.tables import Table

logger = logging.getLogger("target-duckdb")


class AppendOnlyLoad(StreamLoad):
    """Adds rows, also where the stream has a key; changes and deletes none."""

    @override
    def _merge(self, values: list[merge.Value]) -> None:
        merge.append(self._connection, self._table, values)

    @override
    def _activate(self, step: ActivateVersion) -> None:
        """Does nothing: older rows stay as they are, and `_sdc_table_version` tells them apart."""


class OverwriteLoad(StreamLoad):
    """Puts the rows of a new version aside, and swaps their table in when the version is activated.

    A table that stands aside outlives the run: a run that is resumed sends the rest of the same version.
    """

    @override
    def run(self) -> None:
        self._main = self._tables.open(self._stream.name, self._stream.keys)
        if not self._main.columns:
            self._use_table(self._main)
        self._active = self._active_version()
        for step in self._stream.steps:
            if isinstance(step, ActivateVersion):
                self._activate(step)
                continue
            self._use_table(self._table_for(step.version))
            self._load(step)

    def _active_version(self) -> int | None:
        """The version of the rows in the stream's own table; they may be from another `load_method`."""
        found = (self._main.version, newest_version(self._connection, self._main))
        return max((version for version in found if version is not None), default=None)

    def _table_for(self, version: int | None) -> Table:
        """Where rows of a version go: what is not newer than all that is known changes the table itself."""
        if version is None and ("version", "") not in self._stream.warned:
            self._stream.warned.add(("version", ""))
            logger.warning(
                "Stream '%s': its records have no version, so they cannot overwrite its table: they are upserted.",
                self._stream.name,
            )
        if version is None or not self._is_newer(version):
            return self._main
        staging = self._tables.staging(self._main, version)
        self._stream.staging_table = staging.name
        return staging

    def _is_newer(self, version: int) -> bool:
        """Whether the rows of a version are to take the place of the table's.

        A tap with a restored state sends an older version than the one that is active, or that waits: its rows must not
        displace what came later.
        """
        staged = self._tables.staged_version(self._main)
        newest = max((known for known in (self._active, staged) if known is not None), default=version)
        if version < newest and ("version", "older") not in self._stream.warned:
            self._stream.warned.add(("version", "older"))
            logger.warning(
                "Stream '%s': a version of its rows is older than the one that its table has or that waits: they are"
                " upserted and overwrite nothing.",
                self._stream.name,
            )
        return version >= newest and version != self._active

    @override
    def _activate(self, step: ActivateVersion) -> None:
        if not self._is_newer(step.version):
            # What an older version sent first may have waited in a table that a newer one has dropped.
            if step.version == self._active:
                self._use_table(self._main)
                super()._activate(step)
            return
        if self._active is None and self._tables.staged_version(self._main) != step.version and self._has_rows():
            # What follows may be changes only, so these rows, which had no version, are taken for some of this one.
            self._use_table(self._main)
            super()._activate(step)
            self._main.version = self._active = step.version
            self._main.write_comment()
            return
        # Without rows aside, the version is empty so far: so is the table that is swapped in.
        staging = self._tables.staging(self._main, step.version)
        self._warn_of_rows_without_version(self._main)
        self._use_table(staging)
        self._main = self._tables.swap(self._main, staging)
        self._active = step.version
        self._stream.staging_table = None

    def _has_rows(self) -> bool:
        return bool(self._connection.execute(f"SELECT 1 FROM {self._main.sql} LIMIT 1").fetchall())  # noqa: S608 - quoted names
