"""Writes tables as Parquet files with a manifest. A new version becomes visible at once, and only if it is complete."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import file_digest
from typing import TYPE_CHECKING, Any

from hr_export.database import ExportError, file_name, read_loads, read_tables

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

    from hr_export.database import Table

MANIFEST = "manifest.json"
FORMAT = 1


def write_parquet(
    connection: duckdb.DuckDBPyConnection, schemas: Sequence[str], folder: Path, *, keep: int, with_deleted: bool
) -> str:
    """Writes a version of the copy, unless nothing has changed, and removes old ones.

    Args:
        connection: A connection.
        schemas: The schemas to export.
        folder: The folder of the copy.
        keep: Number of versions that are kept.
        with_deleted: Whether rows that are marked as deleted are exported.

    Returns:
        A line that says what was done.

    Raises:
        ExportError: Another process writes into the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        former = read_manifest(folder)
        known = {(entry["schema"], entry["name"]): entry for entry in former.get("tables", ())}
        version = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"  # in the order of time
        target = folder / "versions" / version
        entries, written, lost = [], 0, False
        for schema in schemas:
            for table in read_tables(connection, schema, with_deleted=with_deleted):
                path = target / file_name(table.schema) / f"{file_name(table.name)}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                entry = known.get((table.schema, table.name))
                file = reuse(folder, path, table, entry)
                if not file:
                    # The same rows may be written to the same bytes, so the manifests would not differ.
                    lost = lost or (entry is not None and entry["fingerprint"] == table.fingerprint)
                    written += 1
                    file = write_file(connection, table, path)
                entries.append(describe(table, {"path": path.relative_to(folder).as_posix(), **file}))
        loads = read_loads(connection, schemas)
        content = {"format": FORMAT, "loads": loads, "tables": entries}
        size = sum(file["bytes"] for entry in entries for file in entry["files"])
        if without_paths(content) == without_paths(former) and not lost:
            shutil.rmtree(target, ignore_errors=True)
            version = former["version"]
        else:
            target.mkdir(parents=True, exist_ok=True)  # if there are no tables
            created = {"version": version, "created_at": datetime.now(UTC).isoformat(timespec="seconds")}
            publish({**created, **content}, target / MANIFEST)
            publish({**created, **content}, folder / MANIFEST)
        clean(folder, version, keep)
        rows = sum(entry["rows"] for entry in entries)
        return (
            f"{len(entries)} tables, {rows:,} rows, {size / 1e6:.1f} MB: {written} written,"
            f" {len(entries) - written} unchanged. The manifest is {folder / MANIFEST}."
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other exports out of a folder.

    Raises:
        ExportError: Another export is running.
    """
    with (folder / ".lock").open("w") as file:
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExportError(f"Another export writes into {folder}: run this again when it has ended.") from None
        yield


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, empty if there is none of this format."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise ExportError(f"The file {folder / MANIFEST} is not a manifest: export into another folder.") from None
    if not isinstance(found, dict) or "format" not in found:
        raise ExportError(f"The file {folder / MANIFEST} is not a manifest of hr-export: export into another folder.")
    return found if found["format"] == FORMAT else {}


def without_paths(manifest: dict[str, Any]) -> dict[str, Any]:
    """The part of a manifest that does not differ between versions with the same content."""
    tables = [
        {**table, "files": [{**file, "path": None} for file in table["files"]]} for table in manifest.get("tables", ())
    ]
    return {"loads": manifest.get("loads"), "tables": tables}


def reuse(folder: Path, path: Path, table: Table, entry: dict[str, Any] | None) -> dict[str, Any] | None:
    """Links the file of an unchanged table into a new version.

    Args:
        folder: The folder of the copy.
        path: Where the link is made.
        table: The table.
        entry: What the former manifest says of it.

    Returns:
        The size and hash of the file, or None if it has to be written.
    """
    if entry is None or entry["fingerprint"] != table.fingerprint:
        return None
    (file,) = entry["files"]
    former = folder / file["path"]
    if not former.is_file() or measure(former) != {"bytes": file["bytes"], "sha256": file["sha256"]}:
        return None
    try:
        os.link(former, path)
    except OSError:  # the file system has no links
        shutil.copyfile(former, path)
        return measure(path)
    return {"bytes": file["bytes"], "sha256": file["sha256"]}


def write_file(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> dict[str, Any]:
    """Writes a table. Returns the size and hash of the file."""
    target = str(path).replace("'", "''")
    connection.execute(f"COPY ({table.select}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    return measure(path)


def measure(path: Path) -> dict[str, Any]:
    """The size and hash of a file, which is on the disk afterwards."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return {"bytes": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}


def describe(table: Table, file: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of a table."""
    return {
        "schema": table.schema,
        "name": table.name,
        "description": table.description,
        "primary_key": list(table.key),
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "source_type": column.source_type,
                "description": column.description,
            }
            for column in table.columns
        ],
        "rows": table.rows,
        "fingerprint": table.fingerprint,
        "files": [file],
    }


def publish(manifest: dict[str, Any], path: Path) -> None:
    """Writes a manifest, which replaces the former one at once."""
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def clean(folder: Path, version: str, keep: int) -> None:
    """Removes old versions, and those that were not completed.

    Args:
        folder: The folder of the copy.
        version: The current version.
        keep: Number of versions to keep.
    """
    versions = sorted((path for path in (folder / "versions").iterdir() if path.name != version), reverse=True)
    complete = [path for path in versions if (path / MANIFEST).exists()]
    for path in versions:
        if path not in complete[: keep - 1]:
            shutil.rmtree(path)
