"""Writes the files of BATCH messages."""

from __future__ import annotations

import gzip
import os
import uuid
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from singer_sdk.contrib.batch_encoder_parquet import ParquetBatcher

from singer_rest.errors import RunError, output_sentence
from singer_rest.singer.messages import encode_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.helpers._batch import BatchConfig

    from singer_rest.aliases import Record

T = TypeVar("T")

_OWNER_ONLY = 0o077
"""The umask by which nobody but the owner can read a new file."""

_GZIP_LEVEL = 1  # a third of the time of the default, for files that are a tenth larger


class BatchFiles:
    """Writes a stream's records to files in the declared encoding. The SDK compresses every jsonl file.

    Args:
        name: What the names of the files start with.
        config: The encoding, the storage, and the number of records per file.
        written: Called with the URL of each file, as a list, once it is complete.

    Raises:
        RunError: If the encoding is not supported.
    """

    def __init__(self, name: str, config: BatchConfig, written: Callable[[list[str]], None]) -> None:
        encoding = config.encoding
        if encoding.format not in {"jsonl", "parquet"} or encoding.compression not in {None, "none", "gzip"}:
            raise RunError(
                "The encoding in the setting batch_config is not supported: use the format jsonl or parquet, with the "
                "compression gzip or none."
            )
        if encoding.format == "parquet" and find_spec("pyarrow") is None:
            raise RunError(
                "The setting batch_config needs pyarrow for parquet: install it beside the tap, or use jsonl."
            )
        self._config = config
        self._name = f"{name}-{uuid.uuid4()}"
        self._files = 0
        self._written = written
        self._is_parquet = encoding.format == "parquet"
        self._records: list[Record] = []
        """The records of the next file, if it is Parquet."""
        self._lines: list[bytes] = []
        """The encoded records of the next file, if it is not."""
        self._count = 0

    def add(self, records: Sequence[Record]) -> None:
        """Adds the records of a page. Writes a file once there are enough."""
        if not self._is_parquet:
            self.add_lines(encode_lines(records), len(records))
            return
        self._records += records
        while len(self._records) >= self._config.batch_size:
            self._write(self._write_parquet, self._records[: self._config.batch_size])
            del self._records[: self._config.batch_size]

    def add_lines(self, lines: bytes, count: int) -> None:
        """Adds encoded records, a line each, to files that are not Parquet."""
        while self._count + count >= self._config.batch_size:
            room = self._config.batch_size - self._count
            rest = lines.split(b"\n", room)[-1]
            self._lines.append(lines[: len(lines) - len(rest)])
            self._write(self._write_lines, b"".join(self._lines))
            self._lines, self._count = [], 0
            lines, count = rest, count - room
        if count:
            self._lines.append(lines)
            self._count += count

    def flush(self) -> None:
        """Writes the remaining records.

        Raises:
            RunError: If the file cannot be written. No state may follow.
        """
        if self._records:
            self._write(self._write_parquet, self._records)
        if self._count:
            self._write(self._write_lines, b"".join(self._lines))
        self._records, self._lines, self._count = [], [], 0

    def _write(self, write: Callable[[T], list[str]], content: T) -> None:
        self._files += 1
        umask = os.umask(_OWNER_ONLY)
        try:
            manifest = write(content)
        except OSError as error:
            raise RunError(output_sentence(error)) from None
        finally:
            os.umask(umask)
        self._written(manifest)

    def _write_lines(self, lines: bytes) -> list[str]:
        storage = self._config.storage
        is_compressed = self._config.encoding.compression == "gzip"
        name = f"{storage.prefix or ''}{self._name}-{self._files}.{'json.gz' if is_compressed else 'json'}"
        with storage.open(name, "wb") as file:
            file.write(gzip.compress(lines, _GZIP_LEVEL) if is_compressed else lines)
        return [storage.get_url(name)]

    def _write_parquet(self, records: list[Record]) -> list[str]:
        (manifest,) = ParquetBatcher(self._name, str(self._files), self._config).get_batches(records)
        return manifest
