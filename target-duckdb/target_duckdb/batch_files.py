"""Reads BATCH message files, loads their records like those of RECORD messages, and removes the files."""

from __future__ import annotations

import codecs
import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import fsspec  # type: ignore[import-untyped]
import msgspec
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from target_duckdb.database import quote_identifier, quote_literal
from target_duckdb.errors import LineError
from target_duckdb.messages import read_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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


class Block(NamedTuple):
    """Consecutive records of a file.

    Attributes:
        file: The position of the file in the manifest, starting at 1.
        row: The number of records before the block in the file.
        records: The records as JSON text: one per line, if any, or a list of records that may span lines.
    """

    file: int
    row: int
    records: list[bytes] | bytes

    @property
    def joined_lines(self) -> tuple[bytes, int] | None:
        """The records as lines, and their number. None if there are none, or one of them spans lines."""
        if not self.records:
            return None
        if isinstance(self.records, bytes):
            return self.records, self.records.count(b"\n") + 1
        lines, count = b"\n".join(self.records), len(self.records)
        return (lines, count) if lines.count(b"\n") == count - 1 else None

    def skip_records(self, count: int) -> Block:
        """Returns the block without its first records."""
        if isinstance(self.records, list):
            return self._replace(row=self.row + count, records=self.records[count:])
        lines = self.records.split(b"\n", count)
        return self._replace(row=self.row + count, records=lines[count] if len(lines) > count else b"")

    def list_single_records(self) -> Iterator[tuple[str, bytes]]:
        """Yields the location of each record, for error messages, and the record."""
        lines = self.records.split(b"\n") if isinstance(self.records, bytes) else self.records
        row = self.row
        for line in lines:
            if line and not line.isspace():
                row += 1
                yield f"record {row} of file {self.file} of its manifest", line.strip().removeprefix(codecs.BOM_UTF8)


class BatchFiles:
    """Reads the files of BATCH messages.

    Args:
        folder: A private folder for copies of remote Parquet files.
        memory_limit: The memory limit in DuckDB's notation.
    """

    def __init__(self, folder: Path, memory_limit: str) -> None:
        self._folder = folder
        self._memory_limit = memory_limit

    def read_blocks(self, encoding: dict[str, Any] | None, manifest: list[str] | None) -> Iterator[Block]:
        """Reads all files.

        Args:
            encoding: `format` (`jsonl` or `parquet`) and `compression` (of jsonl: none, `gzip`, `bz2`, `xz` or `lzma`).
            manifest: Paths, or URLs that fsspec supports.

        Yields:
            The records.

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
            blocks = self._read_file(url, kind, compression)
            row = 0
            while True:
                try:
                    records = next(blocks)
                except StopIteration:
                    break
                except Exception as error:  # noqa: BLE001 - fsspec implementations raise errors of their own
                    raise LineError(f"file {number} of its manifest {_describe_error(error)}") from None
                yield Block(number, row, records)
                row += _count_records(records)

    def _read_file(self, url: str, kind: str, compression: str | None) -> Iterator[bytes | list[bytes]]:
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
        yield from self._read_parquet(url) if is_parquet else _read_jsonl(url, found)

    def _read_parquet(self, url: str) -> Iterator[list[bytes]]:
        system, path = fsspec.core.url_to_fs(url)
        local = str(path)
        copy = None
        if not isinstance(system, LocalFileSystem):
            copy = self._folder / "batch.parquet"
            local = str(copy)
            system.get_file(path, local)
        try:
            yield from self._read_rows(local)
        finally:
            if copy is not None:
                copy.unlink(missing_ok=True)

    def _read_rows(self, path: str) -> Iterator[list[bytes]]:
        config: dict[str, Any] = {"memory_limit": self._memory_limit, "threads": 1}
        config["temp_directory"] = str(self._folder / "duckdb")
        with duckdb.connect(config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            name = quote_literal(_GLOB.sub(r"[\g<0>]", path))
            source = f"read_parquet({name})"
            columns = connection.execute(f"DESCRIBE FROM {source}").fetchall()
            fields = ", ".join(_field_sql(str(column), str(type_)) for column, type_, *_ in columns)
            result = connection.execute(f"SELECT '{{' || concat_ws(',', {fields}) || '}}' FROM {source}")  # noqa: S608 - quoted names
            while rows := result.fetchmany(_ROWS):
                yield [row.encode() for (row,) in rows]


def _read_jsonl(url: str, compression: str | None) -> Iterator[bytes]:
    with fsspec.open(url, "rb", compression=compression) as file:
        yield from read_blocks(file)


def _count_records(records: bytes | list[bytes]) -> int:
    if isinstance(records, list):
        return len(records)
    lines = records.count(b"\n") + 1
    # Blank lines are rare, and only then must the lines be looked at.
    return (
        lines
        if lines == records.count(b"}\n") + 1
        else sum(not line.isspace() for line in records.split(b"\n") if line)
    )


def remove_files(urls: Iterable[str]) -> None:
    """Removes files of BATCH messages. What cannot be removed is kept, with a warning."""
    kept = 0
    for url in urls:
        try:
            system, path = fsspec.core.url_to_fs(url)
            system.rm_file(path)
        except FileNotFoundError:
            continue
        except Exception:  # noqa: BLE001 - as above
            kept += 1
    if kept:
        logger.warning("%d files of BATCH messages cannot be removed: check the permissions of their storage.", kept)


def _field_sql(name: str, type_: str) -> str:
    """Returns SQL for a property in the JSON text of an object, NULL if the value is NULL."""
    column = quote_identifier(name)
    value = {
        "JSON": column,  # keeps its text
        "BLOB": f"to_json(base64({column}))",
    }.get(type_, f"to_json({column})")
    key = quote_literal(_json_string(name) + ":")
    return f"{key} || CAST({value} AS VARCHAR)"


def _json_string(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _describe_error(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist."
    if isinstance(error, PermissionError):
        return "cannot be read: check its permissions, or the credentials of its storage."
    if isinstance(error, (ImportError, ValueError)):
        return "is on a storage that is not supported: install the fsspec package for it, such as s3fs or gcsfs."
    return f"cannot be read ({type(error).__name__}): it is damaged, does not match its encoding, or is unreachable."
