"""Load methods other than upsert."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from typing_extensions import override

from target_duckdb import merge
from target_duckdb.segments import ActivateVersion
from target_duckdb.stream_load import StreamLoad
from target_duckdb.versions import newest_version

if TYPE_CHECKING:
    from target_duckdb.segments import Segment
    from target_duckdb.table import Table

logger = logging.getLogger("target-duckdb")


class AppendOnlyLoad(StreamLoad):
    """Appends rows, even if the stream has a key. Never changes or deletes rows."""

    @override
    def _merge_rows(self, values: list[merge.Value]) -> tuple[int, int]:
        return merge.append_rows(self._connection, self._table, values), 0

    @override
    def _drop_unmatched_marks(self, segment: Segment, values: list[merge.Value]) -> None:
        """Does nothing: each deletion is a row."""

    @override
    def _activate_version(self, step: ActivateVersion) -> None:
        """Does nothing: older rows stay, and `_sdc_table_version` distinguishes them."""


class OverwriteLoad(StreamLoad):
    """Loads the rows of a new version into a staging table, which replaces the table when the version is activated.

    The staging table outlives the run, so that a resumed run can complete its version.
    """

    @property
    @override
    def main_table(self) -> Table:
        return self._main

    @override
    def _run_steps(self) -> None:
        self._main = self._open_table()
        if self._is_new:
            self._use_table(self._main)
        self._active = self._active_version()
        for step in self._stream.steps:
            if isinstance(step, ActivateVersion):
                self._activate_version(step)
                continue
            self._use_table(self._table_for(step.version))
            self._load_segment(step)

    def _active_version(self) -> int | None:
        """Returns the version of the rows in the stream's table, which another load method may have loaded."""
        found = (self._main.version, newest_version(self._connection, self._main))
        return max((version for version in found if version is not None), default=None)

    def _table_for(self, version: int | None) -> Table:
        """Returns the table for rows of a version: the staging table only if the version is new."""
        if version is None and ("version", "") not in self._stream.warned:
            self._stream.warned.add(("version", ""))
            logger.warning(
                "Stream '%s': its records have no version and cannot overwrite the table: they are upserted.",
                self._stream.name,
            )
        if version is None or not self._is_newer(version):
            return self._main
        staging = self._tables.open_staging_table(self._main, version)
        self._stream.staging_table = staging.name
        return staging

    def _is_newer(self, version: int) -> bool:
        """Whether a version replaces the active one.

        A tap with a restored state sends an older version than the active or the staged one, which must not replace
        newer rows.
        """
        staged = self._tables.find_staged_version(self._main)
        newest = max((known for known in (self._active, staged) if known is not None), default=version)
        if version < newest and ("version", "older") not in self._stream.warned:
            self._stream.warned.add(("version", "older"))
            logger.warning(
                "Stream '%s': its rows have an older version than its table or staging table: they are upserted and"
                " overwrite nothing.",
                self._stream.name,
            )
        return version >= newest and version != self._active

    @override
    def _activate_version(self, step: ActivateVersion) -> None:
        if not self._is_newer(step.version):
            # A newer version may have dropped the staging table that held the first rows of an older version.
            if step.version == self._active:
                self._use_table(self._main)
                super()._activate_version(step)
            return
        if self._active is None and self._tables.find_staged_version(self._main) != step.version and self._has_rows():
            # The following rows may be changes only, so the existing rows without a version become part of this one.
            self._use_table(self._main)
            super()._activate_version(step)
            self._main.version = self._active = step.version
            return
        # Without staged rows the version is empty so far, and so is the new table.
        staging = self._tables.open_staging_table(self._main, step.version)
        self._warn_of_rows_without_version(self._main)
        rows = self._connection.execute(f"SELECT count(*) FROM {self._main.sql}")  # noqa: S608 - quoted names
        self.counts.deleted += rows.fetchall()[0][0]
        self._use_table(staging)
        self._main = self._tables.replace_by_staging(self._main, staging)
        self._active = step.version
        self._stream.staging_table = None

    def _has_rows(self) -> bool:
        return bool(self._connection.execute(f"SELECT 1 FROM {self._main.sql} LIMIT 1").fetchall())  # noqa: S608 - quoted names
