"""The views and objects with their columns, read from the files in `described`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TOUCHED = "_last_touched_dt_utc"
REPORTING, EXPORTER = "reporting", "dataexporter"
DEFAULT_THROTTLE = 400  # per minute
NAMESPACES = {REPORTING: "Csod.Reporting", EXPORTER: "Csod.DataExporter"}
ROOTS = {REPORTING: "/services/api/x/odata/api/views", EXPORTER: "/services/api/x/dataexporter/api/objects"}
METADATA_SCOPES = {REPORTING: "reportingmetadata:view", EXPORTER: "obj_metadata:read"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        type: the OData type, such as `Edm.Int32`.
        native: the service's own declaration, such as `char(4)`.
        label: the portal's label of a custom field.
    """

    name: str
    type: str
    native: str
    label: str | None = None

    @property
    def max_length(self) -> int | None:
        """The maximum length of a text."""
        size = self.native.partition("(")[2].rstrip(")")
        return int(size) if size.isdigit() and "char" in self.native else None

    @property
    def is_padded(self) -> bool:
        """Whether texts are padded with blanks."""
        return self.native.startswith("char(")


@dataclass(frozen=True, slots=True)
class EntitySet:
    """A view or an object.

    Attributes:
        key: the key columns, empty if the service declares none.
        indexed: the columns that can be filtered; all columns of views.
        throttle: requests per minute.
    """

    name: str
    service: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    indexed: frozenset[str]
    throttle: int

    @property
    def scope(self) -> str:
        """The required scope."""
        return f"{self.name}:read" if self.service == REPORTING else f"obj_{self.name}:read"

    @property
    def path(self) -> str:
        """The path."""
        return f"{ROOTS[self.service]}/{self.name}"


@cache
def load_entity_sets() -> dict[str, EntitySet]:
    """Returns all views and objects by name."""
    found = {}
    for service in (REPORTING, EXPORTER):
        text = files(__package__).joinpath("described", f"{service}.json").read_text(encoding="utf-8")
        for name, row in json.loads(text).items():
            columns = {column: Column(column, *types) for column, types in row["columns"].items()}
            indexed = frozenset(columns) if service == REPORTING else {*row["key"], TOUCHED, *row.get("indexed", ())}
            throttle = row.get("throttle", DEFAULT_THROTTLE)
            found[name] = EntitySet(name, service, columns, tuple(row["key"]), frozenset(indexed), throttle)
    return found


def list_entity_sets(service: str) -> list[EntitySet]:
    """Returns all views or all objects."""
    return [row for row in load_entity_sets().values() if row.service == service]
