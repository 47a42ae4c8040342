"""Reads the records in the files of BATCH messages, which are loaded like those of RECORD messages."""

from __future__ import annotations

import codecs
import logging
import re
from typing import TYPE_CHECKING, Any

import duckdb
import fsspec  # type: ignore[import-untyped]
import msgspec
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from target_duckdb.database import literal, quoted
from target_duckdb.errors import LineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger("target-duckdb")

_ROWS = 1000
#: Compressions of jsonl whose decoders detect truncated files.
_COMPRESSIONS = frozenset({None, "gzip", "bz2", "xz", "lzma"})
_HEAD_BYTES = 64
_PARQUET = b"PAR1"
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "xz", b"]\0\0": "lzma"}
_GLOB = re.compile(r"[*?\[]")  # characters of paths that DuckDB would expand


class _NotParquetError(Exception):
    """The file is not Parquet, though its encoding says so."""


class BatchFiles:
    """Reads the files of BATCH messages. Does not delete them, like the SDK's targets.

    Args:
        folder: A private folder for copies of remote Parquet files.
        memory_limit: The memory limit in DuckDB's notation.
    """

    def __init__(self, folder: Path, memory_limit: str) -> None:
        self._folder = folder
        self._memory_limit = memory_limit

    def records(self, encoding: dict[str, Any] | None, manifest: list[str] | None) -> Iterator[tuple[str, bytes]]:
        """Reads all files.

        Args:
            encoding: `format` (`jsonl` or `parquet`) and `compression` (of jsonl: none, `gzip`, `bz2`, `xz` or `lzma`).
            manifest: Paths, or URLs that fsspec supports.

        Yields:
            The location of a record, for error messages, and the record as JSON text.

        Raises:
            LineError: A file cannot be read. The message has its position, because a URL may contain a secret.
        """
        encoding = encoding or {}
        kind = str(encoding.get("format"))
        compression = encoding.get("compression")
        compression = None if compression in {None, "", "none"} else str(compression)
        if kind not in {"jsonl", "parquet"}:
            raise LineError("its BATCH message has an encoding other than jsonl and parquet.")
        if kind == "jsonl" and compression not in _COMPRESSIONS:
            raise LineError("its BATCH message has an unsupported compression: configure the tap to use gzip.")
        if manifest is None:
            raise LineError("its BATCH message has no manifest.")
        for number, url in enumerate(manifest, start=1):
            place = f"file {number} of its manifest"
            rows = enumerate(self._read(url, kind, compression), start=1)
            while True:
                try:
                    row, record = next(rows)
                except StopIteration:
                    break
                except Exception as error:  # noqa: BLE001 - fsspec implementations raise errors of their own
                    raise LineError(f"{place} {_reason(error)}") from None
                yield f"record {row} of {place}", record

    def _read(self, url: str, kind: str, compression: str | None) -> Iterator[bytes]:
        """Reads a file in its actual format, even if the encoding differs."""
        with fsspec.open(url, "rb") as file:
            start = file.read(_HEAD_BYTES)
        is_parquet = start.startswith(_PARQUET)
        found = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
        is_json = start.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"{", b"["))
        if not (found or is_json or is_parquet):
            if compression and not start:
                raise EOFError
            found = compression  # its decoder finds the error
        if (kind == "parquet") != is_parquet or (kind == "jsonl" and found != compression):
            if kind == "parquet":
                raise _NotParquetError
            logger.warning("A file of a BATCH message does not match its encoding: it is read in its actual format.")
        yield from self._parquet(url) if is_parquet else _jsonl(url, found)

    def _parquet(self, url: str) -> Iterator[bytes]:
        system, path = fsspec.core.url_to_fs(url)
        local = str(path)
        copy = None
        if not isinstance(system, LocalFileSystem):
            copy = self._folder / "batch.parquet"
            local = str(copy)
            system.get_file(path, local)
        try:
            yield from self._rows(local)
        finally:
            if copy is not None:
                copy.unlink(missing_ok=True)

    def _rows(self, path: str) -> Iterator[bytes]:
        config: dict[str, Any] = {"memory_limit": self._memory_limit, "threads": 1}
        config["temp_directory"] = str(self._folder / "duckdb")
        with duckdb.connect(config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            name = literal(_GLOB.sub(r"[\g<0>]", path))
            source = f"read_parquet({name})"
            columns = connection.execute(f"DESCRIBE FROM {source}").fetchall()
            fields = ", ".join(_field(str(column), str(type_)) for column, type_, *_ in columns)
            result = connection.execute(f"SELECT '{{' || concat_ws(',', {fields}) || '}}' FROM {source}")  # noqa: S608 - quoted names
            while rows := result.fetchmany(_ROWS):
                for (row,) in rows:
                    yield row.encode()


def _jsonl(url: str, compression: str | None) -> Iterator[bytes]:
    with fsspec.open(url, "rb", compression=compression) as file:
        for line in file:
            if not line.isspace():
                yield line.strip().removeprefix(codecs.BOM_UTF8)


def _field(name: str, type_: str) -> str:
    """Returns SQL for a member of a JSON object, NULL if the value is NULL."""
    column = quoted(name)
    value = {
        "JSON": column,  # keeps its text
        "BLOB": f"to_json(base64({column}))",
    }.get(type_, f"to_json({column})")
    key = literal(_json_string(name) + ":")
    return f"{key} || CAST({value} AS VARCHAR)"


def _json_string(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist."
    if isinstance(error, PermissionError):
        return "cannot be read: check its permissions, or the credentials of its storage."
    if isinstance(error, (ImportError, ValueError)):
        return "is on a storage that is not supported: install the fsspec package for it, such as s3fs or gcsfs."
    return f"cannot be read ({type(error).__name__}): it is damaged, does not match its encoding, or is unreachable."
