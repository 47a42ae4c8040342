"""This portal's additions to the vendor's tables: custom fields, custom unit types, change tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.tables import Column, load_entity_sets
from hr_sandbox.data_files import read_data
from hr_sandbox.http.arguments import ControlError, check_choice

if TYPE_CHECKING:
    from hr_sandbox.company import Company
    from hr_sandbox.cornerstone.tables import EntitySet
    from hr_sandbox.http.messages import Json

PORTAL_DATA = read_data(__package__, "portal.json")
# Tables with one column per custom field, and the kind of these fields.
CUSTOM_FIELD_TABLES: dict[str, str] = PORTAL_DATA["custom_field_tables"]
PIVOT_TABLES = {"user_ou_pivoted_core": "ou_type_{}_ou_id", "vw_rpt_user_ou_info": "user_ou_id{}"}
TYPES: dict[str, tuple[str, str]] = PORTAL_DATA["custom_field_types"]
ATTRIBUTE_TYPES = {"int": "int", "double": "number", "date": "date", "boolean": "boolean"}
OTHER_FIELDS: tuple[tuple[str, str, str], ...] = PORTAL_DATA["custom_fields"]
TRACKED = frozenset({"training_assignment_user_core", "user_groups_core", "user_ou_core", "users_cf_core"})


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field.

    Attributes:
        kind: what has the field: user, ou, training or transcript.
        attribute: the company's custom attribute behind it, if any.
    """

    id: int
    kind: str
    label: str
    type: str
    attribute: str | None = None

    def make_column(self, table: str) -> Column:
        """Returns its column in one of the tables."""
        coded = f"{self.kind}_custom_field_{self.id:05}"
        name = coded if table.startswith("vw_") else f"field_{self.id}"
        return Column(name, *TYPES[self.type], self.label)


@dataclass(frozen=True, slots=True)
class UnitType:
    """A type of organizational unit. Custom ones have large ids."""

    id: int
    title: str
    first: int  # added to the company's ids

    @property
    def is_custom(self) -> bool:
        """Whether it is a custom type."""
        return self.id > GROUP


DIVISION, POSITION, GRADE, CENTER, LOCATION, GROUP = 2, 4, 8, 16, 32, 128
TEAM, ENTITY = 524_291, 524_292
UNIT_TYPES = (
    UnitType(DIVISION, "Division", 1_000),
    UnitType(POSITION, "Position", 2_000),
    UnitType(GRADE, "Grade", 3_000),
    UnitType(CENTER, "Cost Center", 4_000),
    UnitType(LOCATION, "Location", 5_000),
    UnitType(GROUP, "Group", 90_000),
    UnitType(TEAM, "Team", 100_000),
    UnitType(ENTITY, "Gesellschaft", 110_000),
)


class Portal:
    """The portal's current columns and settings."""

    def __init__(self, company: Company) -> None:
        self.version = 0
        self.fields: list[CustomField] = []
        self.hidden: dict[str, set[str]] = {}
        self.tracked: set[str] = set(TRACKED)
        for row in company.attributes:
            self._add_field("user", row.label or row.global_id or row.id, ATTRIBUTE_TYPES.get(row.type, "text"), row.id)
        for kind, label, type_ in OTHER_FIELDS:
            self._add_field(kind, label, type_)

    def _add_field(self, kind: str, label: str, type_: str, attribute: str | None = None) -> CustomField:
        # Ids have gaps, as if fields had been deleted.
        number = self.fields[-1].id + 5 + len(self.fields) % 7 if self.fields else 3
        row = CustomField(number, kind, label, type_, attribute)
        self.fields.append(row)
        self.version += 1
        return row

    def add_field(self, kind: str, label: str, type_: str) -> Json:
        """Adds a field. Returns its columns."""
        check_choice("kind", kind, sorted(set(CUSTOM_FIELD_TABLES.values())))
        row = self._add_field(kind, label, check_choice("type", type_, TYPES))
        columns = {table: row.make_column(table).name for table, of in CUSTOM_FIELD_TABLES.items() if of == kind}
        return {"id": row.id, "columns": columns}

    def list_columns(self, table: EntitySet) -> dict[str, Column]:
        """Returns all visible columns of a table."""
        found = {**table.columns, **{row.name: row for row in self._list_custom_columns(table.name)}}
        for name in self.hidden.get(table.name, ()):
            found.pop(name, None)
        return found

    def _list_custom_columns(self, name: str) -> list[Column]:
        if kind := CUSTOM_FIELD_TABLES.get(name):
            return [row.make_column(name) for row in self.fields if row.kind == kind]
        if pattern := PIVOT_TABLES.get(name):
            return [Column(pattern.format(row.id), "Edm.Int32", "int", row.title) for row in UNIT_TYPES]
        if name == "vw_rpt_user":
            first, text = f"user_ou_{ENTITY}", ("Edm.String", "nvarchar(250)")
            return [Column(f"{first}_id", "Edm.Int32", "int"), Column(first, *text), Column(f"{first}_ref", *text)]
        return []

    def set_visible(self, name: str, column: str, *, visible: bool) -> None:
        """Shows or hides a column."""
        table = load_entity_sets()[name]
        hidden = self.hidden.setdefault(name, set())
        known = {*table.columns, *(row.name for row in self._list_custom_columns(name))}
        if column not in known or column in table.key:
            raise ControlError(f"There is no column {name}.{column} that can be hidden.")
        (hidden.discard if visible else hidden.add)(column)
        self.version += 1

    def set_tracked(self, name: str, *, tracked: bool) -> None:
        """Sets whether an object tracks changes."""
        (self.tracked.add if tracked else self.tracked.discard)(name)
        self.version += 1
