"""Removes old snapshots of Iceberg tables, and the files that only they need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyarrow.fs import FileSelector
from pyiceberg.io.pyarrow import PyArrowFileIO

if TYPE_CHECKING:
    from pyiceberg.table import Table

ORPHAN_AGE = timedelta(days=1)
"""Files of an export that was killed are removed once they are older: those of one that is running are not."""


def expire(table: Table, age: timedelta) -> int:
    """Removes the snapshots of a table that are older, and files that no snapshot needs.

    pyiceberg only removes the snapshots from the metadata.

    Args:
        table: The table.
        age: The age of the oldest snapshots to keep. The current one is always kept.

    Returns:
        Number of files that were removed.
    """
    now = datetime.now(UTC)
    before = after = needed(table)
    old = [one for one in table.snapshots() if one.timestamp_ms < (now - age).timestamp() * 1000]
    current = table.current_snapshot()
    if any(one != current for one in old):
        table.maintenance.expire_snapshots().older_than((now - age).replace(tzinfo=None)).commit()
        table = table.refresh()
        after = needed(table)
    scheme, netloc, path = PyArrowFileIO.parse_location(table.location())
    files = PyArrowFileIO(table.io.properties).fs_by_scheme(scheme, netloc)
    removed = 0
    for file in files.get_file_info(FileSelector(path, allow_not_found=True, recursive=True)):
        is_old = file.mtime is not None and file.mtime.astimezone(UTC) < now - ORPHAN_AGE
        if file.is_file and file.path not in after and (file.path in before or is_old):
            files.delete_file(file.path)
            removed += 1
    return removed


def needed(table: Table) -> set[str]:
    """The paths of all files that the snapshots of a table consist of, without scheme."""
    found = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    for snapshot in table.snapshots():
        found.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            found.add(manifest.manifest_path)
            found.update(entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io))
    return {PyArrowFileIO.parse_location(location)[2] for location in found}
