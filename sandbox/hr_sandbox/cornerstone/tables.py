"""The views and objects with their columns, read from the files that `describe` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TOUCHED = "_last_touched_dt_utc"
REPORTING, EXPORTER = "reporting", "dataexporter"
USUAL_THROTTLE = 400  # a minute
NAMESPACES = {REPORTING: "Csod.Reporting", EXPORTER: "Csod.DataExporter"}
ROOTS = {REPORTING: "/services/api/x/odata/api/views", EXPORTER: "/services/api/x/dataexporter/api/objects"}
METADATA_SCOPES = {REPORTING: "reportingmetadata:view", EXPORTER: "obj_metadata:read"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        type: of OData, such as `Edm.Int32`.
        native: how the service declares it, such as `char(4)`.
        label: what the portal calls a field of its own.
    """

    name: str
    type: str
    native: str
    label: str | None = None

    @property
    def width(self) -> int | None:
        """How long a text may be."""
        size = self.native.partition("(")[2].rstrip(")")
        return int(size) if size.isdigit() and "char" in self.native else None

    @property
    def padded(self) -> bool:
        """Whether blanks fill it up."""
        return self.native.startswith("char(")


@dataclass(frozen=True, slots=True)
class EntitySet:
    """A view or an object.

    Attributes:
        key: empty where the service declares none.
        indexed: columns that may be filtered by; of views all may.
        throttle: requests a minute.
    """

    name: str
    service: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    indexed: frozenset[str]
    throttle: int

    @property
    def scope(self) -> str:
        """The permission to read it."""
        return f"{self.name}:read" if self.service == REPORTING else f"obj_{self.name}:read"

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{ROOTS[self.service]}/{self.name}"


@cache
def entity_sets() -> dict[str, EntitySet]:
    """All views and objects, by name."""
    found = {}
    for service in (REPORTING, EXPORTER):
        text = files(__package__).joinpath("described", f"{service}.json").read_text(encoding="utf-8")
        for name, row in json.loads(text).items():
            columns = {column: Column(column, *types) for column, types in row["columns"].items()}
            indexed = frozenset(columns) if service == REPORTING else {*row["key"], TOUCHED, *row.get("indexed", ())}
            throttle = row.get("throttle", USUAL_THROTTLE)
            found[name] = EntitySet(name, service, columns, tuple(row["key"]), frozenset(indexed), throttle)
    return found


def of_service(service: str) -> list[EntitySet]:
    """The views or the objects."""
    return [row for row in entity_sets().values() if row.service == service]
