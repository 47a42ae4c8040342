"""The inventory: each stream and column of a tap, whether it would be loaded, and what would happen to its values."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from singer_rest.privacy.classes import TOP_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_rest.dossier.dossier_tap import DossierTap
    from singer_rest.privacy.classification import Protection, RowRule
    from singer_rest.privacy.profiles import Action
    from singer_rest.privacy.stream_privacy import StreamPrivacy
    from singer_rest.stream import RestStream

Reason = Literal["", "profile", "selection"]
ROW = "One row per "
SCOPE = re.compile(r"(?:the scope ([\w:.-]+)|a scope for it)(?:, and a plan that includes the module (\w+))?")
"""Permissions that taps describe by a phrase. Others are names."""


@dataclass(frozen=True)
class Column:
    """A column, or a field within one.

    Args:
        path: The names that lead to it, joined by dots. `[]` follows the name of a list.
        protection: Its protection class.
        action: What happens to its values.
        reason: Why it is not loaded. Empty: it is.
        schema: The part of the JSON Schema. Empty for a field that the schema does not list.
        is_key: Whether it is a part of the key.
    """

    path: str
    protection: Protection
    action: Action
    reason: Reason = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    is_key: bool = False

    @property
    def is_loaded(self) -> bool:
        """Whether its values are loaded, changed or not."""
        return not self.reason

    @property
    def top_class(self) -> str:
        """The protection class without its subclass."""
        return self.protection.name.partition(".")[0]

    @property
    def description(self) -> str:
        """Its description in the schema."""
        return str(self.schema.get("description") or "")

    @property
    def subjects(self) -> str:
        """The kind of people that it identifies. Empty: it identifies nobody."""
        if self.top_class == "contact":
            return "private_email" if self.refers_to else ""
        form = self.refers_to.get("form", "")
        return str(self.refers_to.get("space") or ("" if form == "row" else form))

    @property
    def refers_to(self) -> Mapping[str, Any]:
        """What its values refer to, as in the catalog."""
        found = self.protection.keywords.get("x-refers-to")
        return found if isinstance(found, dict) else {}


class RowGroup(NamedTuple):
    """Some rows, or some objects in a list, of a class of their own.

    Args:
        rule: The rule that says which they are.
        is_loaded: Whether they are loaded.
    """

    rule: RowRule
    is_loaded: bool

    @property
    def path(self) -> str:
        """The rows as a path."""
        return f"{self.rule.path}[{self.rule.column}={self.rule.value}]"


@dataclass(frozen=True)
class Table:
    """A stream that would be loaded.

    Args:
        name: The stream's name, which is that of the table.
        row: What a row is.
        notes: The rest of the stream's docstring.
        permission: The permission that it needs, in the tap's words. None: it is public.
        also_needed: The permissions that discovery and the parent streams need.
        method: The HTTP method of its requests.
        keys: The columns of the key.
        columns: All columns, in the order of the schema.
        row_groups: The rows with a class of their own.
        is_defined_by_company: Whether the company or its portal defines columns of it.
        restricts_columns: Whether the vendor has permissions for single columns of it.
        schema: The JSON Schema of what is read.
    """

    name: str
    row: str
    notes: str
    permission: str | None
    also_needed: Sequence[str]
    method: str
    keys: Sequence[str]
    columns: Sequence[Column]
    row_groups: Sequence[RowGroup]
    is_defined_by_company: bool
    restricts_columns: bool
    schema: Mapping[str, Any] = field(repr=False)

    @cached_property
    def loaded(self) -> list[Column]:
        """The columns that are loaded."""
        return [column for column in self.columns if column.is_loaded]

    @cached_property
    def left_out(self) -> list[Column]:
        """The columns that are not loaded."""
        return [column for column in self.columns if not column.is_loaded]


@dataclass(frozen=True)
class LeftOut:
    """A stream that would not be loaded.

    Args:
        name: The stream's name.
        reason: Why.
        detail: The setting that enables it, or the columns of the key that are not loaded.
    """

    name: str
    reason: Literal["setting", "optional", "key", "selection"]
    detail: str = ""


@dataclass(frozen=True)
class Inventory:
    """What a run would load.

    Args:
        tap: The tap.
        tables: The streams that would be loaded.
        left_out: Those that would not.
        secrets: The settings with secrets that are set.
        is_offline: Whether columns that the company defines were not requested.
        has_catalog: Whether a catalog says what is selected.
    """

    tap: DossierTap = field(repr=False)
    tables: Sequence[Table]
    left_out: Sequence[LeftOut]
    secrets: Sequence[str]
    is_offline: bool
    has_catalog: bool

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self.tap.name.removeprefix("tap-").title()

    @cached_property
    def addresses(self) -> list[str]:
        """The addresses to which requests are sent, without a user name and password."""
        parts = [urlsplit(address) for address in self.tap.addresses]
        return [f"{part.scheme}://{part.netloc.rpartition('@')[2]}{part.path}" for part in parts]

    @cached_property
    def loaded(self) -> list[tuple[Table, Column]]:
        """All columns that are loaded, each with its table."""
        return [(table, column) for table in self.tables for column in table.loaded]

    def of_classes(self, *names: str) -> list[tuple[Table, Column]]:
        """Returns the loaded columns of some classes or their subclasses."""
        return [
            (table, column)
            for table, column in self.loaded
            if any(f"{column.protection.name}.".startswith(f"{name}.") for name in names)
        ]

    @cached_property
    def loaded_classes(self) -> list[str]:
        """The classes of which columns are loaded, without subclasses, in the order of harm."""
        found = {column.top_class for _, column in self.loaded}
        return [name for name in TOP_CLASSES if name in found]

    @cached_property
    def permissions(self) -> list[Permission]:
        """The permissions that the loaded streams need, each once."""
        needed = {name for table in self.tables for name in (table.permission, *table.also_needed) if name is not None}
        return sorted(map(parse_permission, needed))

    @cached_property
    def subjects(self) -> list[str]:
        """The kinds of people that the loaded columns identify."""
        return sorted({column.subjects for _, column in self.loaded if column.subjects})


def take_inventory(tap: DossierTap, secrets: Sequence[str] = (), *, is_offline: bool) -> Inventory:
    """Takes the inventory of a tap: of its settings, its profile, its streams and the user's catalog.

    Args:
        tap: The tap, with the catalog if there is one.
        secrets: The settings with secrets that are set.
        is_offline: Whether the tap has no credentials, so that columns that the company defines are not known.

    Raises:
        TapError: If the columns that the company defines cannot be read.
    """
    tables, left_out = [], []
    for stream in tap.streams.values():
        if stream.selected:
            tables.append(_describe_stream(tap, stream))
        else:
            left_out.append(LeftOut(stream.name, "selection"))
    left_out += _unavailable_streams(tap)
    return Inventory(tap, tables, left_out, secrets, is_offline=is_offline, has_catalog=tap.input_catalog is not None)


class Permission(NamedTuple):
    """A permission.

    Args:
        name: Its name. Empty: the vendor does not document it.
        module: The module that the company's plan has to include. Empty: the tap names none.
    """

    name: str
    module: str


def parse_permission(permission: str) -> Permission:
    """Parses a permission in the tap's words."""
    found = SCOPE.fullmatch(permission)
    return Permission(found[1] or "", found[2] or "") if found else Permission(permission, "")


def _describe_stream(tap: DossierTap, stream: RestStream) -> Table:
    docstring = inspect.cleandoc(type(stream).__doc__ or "")
    first, _, rest = docstring.partition("\n\n")
    schema = _full_schema(stream)
    compiled = tap.privacy.compiler.compile(stream.name, schema, stream.primary_keys, stream.replication_key)
    return Table(
        name=stream.name,
        row=first.removeprefix(ROW).rstrip(".") if first.startswith(ROW) else "",
        notes=" ".join(rest.split()),
        permission=stream.permission,
        also_needed=[*_permissions_around(tap, stream)],
        method=stream.method,
        keys=tuple(stream.primary_keys),
        columns=[*_list_columns(stream, schema, compiled)],
        row_groups=[
            RowGroup(rule, rule not in {*compiled.row_rules, *compiled.item_rules})
            for rule in tap.privacy.classification.row_rules(stream.name)
        ],
        is_defined_by_company=stream.discovery_permission is not None,
        restricts_columns=stream.hidden_columns is not None,
        schema=schema,
    )


def _full_schema(stream: RestStream) -> dict[str, Any]:
    """Returns the schema with all columns that the stream knows or the catalog lists."""
    own, read = stream.unprotected_schema, stream.effective_schema["properties"]
    return {**own, "properties": {**own["properties"], **{n: p for n, p in read.items() if n not in own["properties"]}}}


def _permissions_around(tap: DossierTap, stream: RestStream) -> Iterator[str]:
    """Yields the permissions that discovery needs, and those of the streams above, which are read for their ids."""
    if stream.discovery_permission:
        yield stream.discovery_permission
    while parent := stream.slices.parent:
        stream = tap.stream_named(parent)
        if stream.permission:
            yield stream.permission


def _list_columns(stream: RestStream, schema: Mapping[str, Any], compiled: StreamPrivacy) -> Iterator[Column]:
    parts = dict(walk_schema(schema))
    emitted = (stream.privacy.schema if stream.privacy else stream.effective_schema)["properties"]
    for path, (protection, action) in compiled.treatments.items():
        names = path.split(".")
        is_selected = names[0].removesuffix("[]") in emitted and _is_selected(stream, names)
        reason: Reason = "profile" if action == "drop" else "" if is_selected else "selection"
        yield Column(path, protection, action, reason, parts.get(path, {}), is_key=path in stream.primary_keys)


def _is_selected(stream: RestStream, names: Sequence[str]) -> bool:
    """Whether the catalog selects a field. Fields of objects in lists cannot be deselected."""
    breadcrumb: tuple[str, ...] = ()
    for name in names:
        breadcrumb = (*breadcrumb, "properties", name.removesuffix("[]"))
        if not stream.mask[breadcrumb]:
            return False
        if name.endswith("[]"):
            break
    return True


def walk_schema(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the path of each part of a schema with the part: of objects and lists, and of the fields in them."""
    if path:
        yield path.removesuffix("[]"), schema
    for name, part in (schema.get("properties") or {}).items():
        yield from walk_schema(part, f"{path}.{name}" if path else name)
    items = schema.get("items")
    if isinstance(items, dict) and (items.get("properties") or items.get("items")):
        for inner, part in walk_schema(items, f"{path}[]"):
            if inner != path:
                yield inner, part


def _unavailable_streams(tap: DossierTap) -> Iterator[LeftOut]:
    for stream_type in tap.stream_types:
        if stream_type.name in tap.streams:
            continue
        if stream_type.setting and not tap.config.get(stream_type.setting):
            yield LeftOut(stream_type.name, "setting", stream_type.setting)
            continue
        lost = tap.privacy.compiler.lost_keys(stream_type.name, stream_type.primary_keys)
        if lost and tap.privacy.is_active:
            yield LeftOut(stream_type.name, "key", ", ".join(lost))
        else:
            yield LeftOut(stream_type.name, "optional", "optional_streams")
