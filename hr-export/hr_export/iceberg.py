"""Writes tables as Apache Iceberg tables: in one commit per table, all of its changes since the last export or none."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue, In

from hr_export.database import ExportError, file_name, read_loads, read_tables
from hr_export.evolution import can_be_identifier, can_become
from hr_export.expiry import expire
from hr_export.types import quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from pyiceberg.catalog import Catalog
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table as LakeTable
    from pyiceberg.table import Transaction

    from hr_export.database import Table

FINGERPRINT = "hr-export.fingerprint"
RUN = "hr-export.run"
"""In the summary of a snapshot: the run of the loader that it shows."""
PROPERTIES = {
    "write.parquet.compression-codec": "zstd",
    "write.target-file-size-bytes": str(128 * 2**20),  # in memory; files are several times smaller
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
MAX_KEYS = 10_000
"""If more rows have changed, replacing the table is faster than looking for them in its files."""
FILTERED = {"VARCHAR", "INTEGER", "BIGINT"}
"""Types of key columns by which rows are replaced."""
BATCH = 50_000
DONE = ("created", "appended", "updated", "replaced", "unchanged")


@dataclass
class Outcome:
    """What an export did.

    Attributes:
        done: Number of tables by what was done with them: created, unchanged, appended, updated or replaced.
        removed: Number of files that were removed.
        messages: Sentences about what the user should know.
        failed: A sentence for each table that could not be written.
    """

    done: Counter[str] = field(default_factory=Counter)
    removed: int = 0
    messages: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """A line that says what was done."""
        parts = [f"{self.done[name]} {name}" for name in DONE if self.done[name]]
        removed = f" {self.removed} files of old snapshots were removed." if self.removed else ""
        total = self.done.total()
        return f"{total} Iceberg table{'' if total == 1 else 's'}: {', '.join(parts) or 'none'}.{removed}"


def connect(uri: str, warehouse: str) -> Catalog:
    """Opens the catalog, and creates it if it is a file that does not exist.

    Args:
        uri: Its address, such as `sqlite:///lake/catalog.db`.
        warehouse: The address of the folder or prefix for new tables.

    Raises:
        ExportError: There is no catalog.
    """
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # pyiceberg has names of its own for what AWS's tools read from the environment.
    settings = {
        "s3.endpoint": os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        "s3.region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
    }
    given = {name: value for name, value in settings.items() if value}
    try:
        return load_catalog("default", uri=uri, warehouse=warehouse, **given)
    except Exception as error:  # noqa: BLE001  each kind of catalog has errors of its own, which may hold a password
        raise ExportError(
            f"The catalog cannot be opened ({type(error).__name__}): check --catalog, which is an address such as"
            " sqlite:///output/iceberg/catalog.db."
        ) from None


def export_all(
    connection: duckdb.DuckDBPyConnection,
    schemas: Sequence[str],
    uri: str,
    warehouse: str,
    *,
    age: timedelta | None,
    with_deleted: bool,
) -> Outcome:
    """Brings the Iceberg tables to the state of the DuckDB file.

    Args:
        connection: A connection.
        schemas: The schemas to export, which become namespaces.
        uri: The address of the catalog.
        warehouse: The folder, or the address of the prefix, for new tables.
        age: The age from which snapshots are removed. None: all stay.
        with_deleted: Whether rows that are marked as deleted are exported.

    Raises:
        ExportError: The catalog cannot be opened.
    """
    outcome = Outcome()
    if "://" not in warehouse:
        warehouse = f"file://{Path(warehouse).absolute()}"
    runs = {schema: str(load["run_id"]) for schema, load in read_loads(connection, schemas).items()}
    with connect(uri, warehouse) as catalog:
        for schema in schemas:
            catalog.create_namespace_if_not_exists((schema,))
            run = runs.get(schema) or ", ".join(f"{name} {one}" for name, one in runs.items())
            names = set()
            for table in read_tables(connection, schema, with_deleted=with_deleted):
                names.add(table.name)
                location = f"{warehouse.rstrip('/')}/{file_name(schema)}/{file_name(table.name)}"
                try:
                    outcome.done[TableExport(connection, catalog, table, run, outcome.messages).run(location)] += 1
                    if age is not None:
                        outcome.removed += expire(catalog.load_table((schema, table.name)), age)
                except (OSError, duckdb.Error):
                    raise
                except Exception as error:  # noqa: BLE001  each kind of catalog and storage has errors of its own
                    # The message may hold values.
                    outcome.failed.append(
                        f"The Iceberg table {table.full_name} could not be written: {type(error).__name__}. It is"
                        " unchanged: run this again."
                    )
            outcome.messages += [
                f"{schema}.{name} is no longer in the DuckDB file; its Iceberg table stays."
                for *_, name in catalog.list_tables((schema,))
                if name not in names
            ]
    return outcome


class TableExport:
    """The export of one table.

    Args:
        connection: A connection.
        catalog: The catalog.
        table: The table.
        run: The run of the loader, for the summaries of snapshots.
        messages: Gets sentences about what the user should know.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, table: Table, run: str, messages: list[str]
    ) -> None:
        self.connection = connection
        self.catalog = catalog
        self.table = table
        self.messages = messages
        self.summary = {RUN: run}
        self.types = {column.name: column.type for column in table.columns}
        self.key = table.key if all(can_be_identifier(self.types[name]) for name in table.key) else ()
        self.schema = self.arrow_schema()

    def arrow_schema(self) -> pa.Schema:
        """The columns with their descriptions. Those of the key are required."""
        known = self.connection.sql(f"{self.table.select} LIMIT 0").to_arrow_table().schema
        return pa.schema(
            pa.field(
                column.name,
                known.field(position).type,
                nullable=column.name not in self.key,
                metadata={"doc": column.description} if column.description else None,
            )
            for position, column in enumerate(self.table.columns)
        )

    def rows(self, condition: str = "") -> pa.RecordBatchReader:
        """The rows of the DuckDB file, to be read before the next query."""
        reader = self.connection.sql(f"SELECT * FROM ({self.table.select}) {condition}").to_arrow_reader(BATCH)
        return pa.RecordBatchReader.from_batches(self.schema, (batch.cast(self.schema) for batch in reader))

    def run(self, location: str) -> str:
        """Exports the table.

        Args:
            location: The address of its files, if it is created.

        Returns:
            What was done: created, unchanged, appended, updated or replaced.
        """
        identifier = (self.table.schema, self.table.name)
        try:
            lake = self.catalog.load_table(identifier)
        except NoSuchTableError:
            created = self.catalog.create_table_transaction(identifier, self.schema, location, properties=PROPERTIES)
            with created as transaction:
                self.finish(transaction)
                transaction.append(self.rows(), self.summary)
            return "created"
        if lake.properties.get(FINGERPRINT) == self.table.fingerprint and self.is_own(lake):
            return "unchanged"
        done, condition, overwritten = self.compare(lake)
        with lake.transaction() as transaction:
            self.remove_columns(transaction)
            self.finish(transaction)
            if done == "appended":
                transaction.append(self.rows(condition), self.summary)
            elif overwritten is not None:
                transaction.overwrite(self.rows(condition), overwritten, self.summary)
        return done

    def is_own(self, lake: LakeTable) -> bool:
        """Whether the current snapshot is of an export, rather than of another program."""
        snapshot = lake.current_snapshot()
        return snapshot is not None and snapshot.summary is not None and snapshot.summary.get(RUN) is not None

    def unfit(self, schema: Schema) -> list[str]:
        """The columns of an Iceberg table that are gone, or cannot be widened to their new type."""
        return [
            one.name
            for one in schema.as_arrow()
            if one.name not in self.schema.names or not can_become(one.type, self.schema.field(one.name).type)
        ]

    def remove_columns(self, transaction: Transaction) -> None:
        """Removes the columns that are gone, or cannot be widened. Older snapshots keep them."""
        unfit = self.unfit(transaction.table_metadata.schema())
        if unfit:
            with transaction.update_schema() as update:
                update.set_identifier_fields()
                for name in unfit:
                    update.delete_column((name,))

    def finish(self, transaction: Transaction) -> None:
        """Adds and widens columns, and notes the key and the fingerprint."""
        with transaction.update_schema(allow_incompatible_changes=True) as update:
            update.union_by_name(self.schema)
            for known in transaction.table_metadata.schema().fields:
                if known.name in self.key and known.optional:  # a former key that is one again, or a new one
                    update.update_column((known.name,), required=True)
            update.set_identifier_fields(*self.key)
        if transaction.table_metadata.properties.get(FINGERPRINT) != self.table.fingerprint:
            transaction.set_properties({FINGERPRINT: self.table.fingerprint})

    def compare(self, lake: LakeTable) -> tuple[str, str, BooleanExpression | None]:
        """Compares the rows with those of the Iceberg table.

        Returns:
            What to do, the SQL condition of the rows to write, and the filter of those to remove first.
        """
        replaced = "replaced", "", AlwaysTrue()
        changed = [name for name in self.unfit(lake.schema()) if name in self.schema.names]
        self.messages += [
            f"Iceberg cannot widen {self.table.full_name}.{name} to {self.types[name]}: the column was"
            " replaced. Older snapshots have the former one."
            for name in changed
        ]
        former_key = {lake.schema().find_column_name(one) for one in lake.schema().identifier_field_ids}
        if not self.key or changed or former_key != {*self.key} or not self.is_own(lake):
            return replaced
        self.find_differences(lake)
        ((new, others, *distinct),) = self.connection.sql(
            "SELECT count(*) FILTER (is_new), count(*) FILTER (NOT is_new),"
            f" {', '.join(f'count(DISTINCT {quote(name)})' for name in self.key)} FROM difference"
        ).fetchall()
        if not new + others:
            return "unchanged", "", None
        if not others:
            return "appended", f"SEMI JOIN difference USING ({', '.join(map(quote, self.key))})", None
        count, name = max((count, name) for count, name in zip(distinct, self.key, strict=True))
        # pyiceberg takes a name with a dot for that of a nested field when it filters.
        if count > MAX_KEYS or self.types[name] not in FILTERED or "." in name:
            return replaced
        # All rows with one of these values in this column of the key are written again.
        values = self.connection.sql(f"SELECT DISTINCT {quote(name)} FROM difference").fetchall()
        return "updated", f"SEMI JOIN difference USING ({quote(name)})", In(name, {value for (value,) in values})

    def find_differences(self, lake: LakeTable) -> None:
        """Writes the keys of rows that are new, changed or gone into the temporary table `difference`."""
        known = set(lake.schema().as_arrow().names)
        held = ", ".join(
            f"CAST({quote(column.name) if column.name in known else 'NULL'} AS {column.type}) AS {quote(column.name)}"
            for column in self.table.columns
        )
        keys = [quote(name) for name in self.key]
        others = [quote(column.name) for column in self.table.columns if column.name not in self.key]
        differs = " OR ".join(f"source.{name} IS DISTINCT FROM held.{name}" for name in others) or "false"
        with lake.scan().to_arrow_batch_reader() as reader:
            self.connection.register("lake_rows", reader)
            try:
                self.connection.execute(
                    f"CREATE OR REPLACE TEMP TABLE difference AS SELECT"
                    f" {', '.join(f'coalesce(source.{name}, held.{name}) AS {name}' for name in keys)},"
                    f" held.{keys[0]} IS NULL AS is_new"
                    f" FROM ({self.table.select}) source FULL JOIN (SELECT {held} FROM lake_rows) held"
                    f" ON {' AND '.join(f'source.{name} = held.{name}' for name in keys)}"
                    f" WHERE source.{keys[0]} IS NULL OR held.{keys[0]} IS NULL OR {differs}"
                )
            finally:
                self.connection.unregister("lake_rows")
