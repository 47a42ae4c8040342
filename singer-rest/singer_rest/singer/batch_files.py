"""Writes the files of BATCH messages."""

from __future__ import annotations

import gzip
import uuid
from importlib.util import find_spec
from typing import TYPE_CHECKING

from singer_sdk.contrib.batch_encoder_parquet import ParquetBatcher

from singer_rest.errors import RunError, output_sentence
from singer_rest.singer.messages import encode_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from singer_sdk.helpers._batch import BatchConfig

    from singer_rest.aliases import Record

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
        self._records: list[Record] = []

    def add(self, records: Iterable[Record]) -> None:
        """Adds records. Writes a file once there are enough."""
        self._records += records
        while len(self._records) >= self._config.batch_size:
            self._write(self._records[: self._config.batch_size])
            del self._records[: self._config.batch_size]

    def flush(self) -> None:
        """Writes the remaining records.

        Raises:
            RunError: If the file cannot be written. No state may follow.
        """
        if self._records:
            self._write(self._records)
            self._records = []

    def _write(self, records: list[Record]) -> None:
        self._files += 1
        try:
            manifest = (
                self._write_parquet(records)
                if self._config.encoding.format == "parquet"
                else self._write_lines(records)
            )
        except OSError as error:
            raise RunError(output_sentence(error)) from None
        self._written(manifest)

    def _write_lines(self, records: list[Record]) -> list[str]:
        storage = self._config.storage
        is_compressed = self._config.encoding.compression == "gzip"
        lines = encode_lines(records)
        name = f"{storage.prefix or ''}{self._name}-{self._files}.{'json.gz' if is_compressed else 'json'}"
        with storage.open(name, "wb") as file:
            file.write(gzip.compress(lines, _GZIP_LEVEL) if is_compressed else lines)
        return [storage.get_url(name)]

    def _write_parquet(self, records: list[Record]) -> list[str]:
        (manifest,) = ParquetBatcher(self._name, str(self._files), self._config).get_batches(records)
        return manifest
