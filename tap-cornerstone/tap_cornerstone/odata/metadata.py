"""What a service's ``$metadata`` says: its entity sets, their columns and keys."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FALSE = frozenset({"false", "0", "no"})


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column.

    Args:
        type: Its OData type, such as ``Edm.Int32``.
        scale: Digits behind the point of a decimal, where they are declared.
        filterable: Whether it may stand in a filter.
    """

    type: str
    scale: int | None = None
    filterable: bool = True


class EntitySet(msgspec.Struct, frozen=True, omit_defaults=True):
    """A view or an object.

    Args:
        name: Its name, which is the stream's.
        columns: Its columns by name, in their order; none where they are not known.
        key: The columns of its key; none where none is declared.
        tracks_changes: Whether it can be asked for what changed and what was deleted since a moment.
    """

    name: str
    columns: dict[str, Column] = {}
    key: tuple[str, ...] = ()
    tracks_changes: bool = False


class MetadataError(ValueError):
    """A document that does not describe a service."""


class Document:
    """A metadata document.

    Args:
        root: Its root element.
    """

    def __init__(self, root: etree._Element) -> None:
        self._types: dict[str, etree._Element] = {}
        self._simple: dict[str, str] = {}
        self._apart: defaultdict[str, list[etree._Element]] = defaultdict(list)
        self.sets: dict[str, tuple[etree._Element, str]] = {}
        for schema in root.iter("{*}Schema"):
            names = filter(None, (schema.get("Namespace"), schema.get("Alias")))
            for prefix in names:
                self._take(schema, prefix)
        if not self.sets:  # without a container its types are what it offers
            self.sets = {_short(kind): (element, kind) for kind, element in self._types.items()}

    def _take(self, schema: etree._Element, prefix: str) -> None:
        for element in schema:
            name = f"{prefix}.{element.get('Name')}"
            kind = _name(element)
            if kind == "EntityType":
                self._types[name] = element
            elif kind == "EnumType":
                self._simple[name] = "Edm.String"
            elif kind == "TypeDefinition":
                self._simple[name] = element.get("UnderlyingType", "Edm.String")
            elif kind == "Annotations":
                # The container's set, a type, or a type's column: Space.All/set, Space.type, Space.type/column.
                owner, _, last = element.get("Target", "").rpartition("/")
                for target in {last.rpartition(".")[2], f"{_short(owner)}/{last}"}:
                    self._apart[target].append(element)
            elif kind == "EntityContainer":
                for part in _children(element, "EntitySet"):
                    self.sets[part.get("Name", "")] = (part, part.get("EntityType", ""))

    def entity_set(self, name: str) -> EntitySet:
        """A set by its name; without columns where its type is not described."""
        element, kind = self.sets[name]
        lineage = self._lineage(kind)
        tracks = any(
            self._says(holder, target, "ObjectSupportsChangeTracking") not in FALSE | {None}
            for holder, target in ((element, name), *((part, _short(kind)) for part in lineage))
        )
        return EntitySet(
            name,
            {
                found.get("Name", ""): self._column(found, _short(kind))
                for part in lineage
                for found in _children(part, "Property")
            },
            tuple(key for part in lineage for key in _key(part)),
            tracks_changes=tracks,
        )

    def _lineage(self, kind: str) -> list[etree._Element]:
        """A type and those that it extends, the first of them first."""
        found: list[etree._Element] = []
        while kind in self._types and self._types[kind] not in found:
            found.insert(0, self._types[kind])
            kind = self._types[kind].get("BaseType", "")
        return found

    def _column(self, element: etree._Element, owner: str) -> Column:
        scale, kind, target = (
            element.get("Scale", ""),
            element.get("Type", "Edm.String"),
            f"{owner}/{element.get('Name')}",
        )
        return Column(
            self._simple.get(kind, kind),
            scale=int(scale) if scale.isdigit() else None,
            filterable=self._says(element, target, "FieldIsFilteringAllowed") not in FALSE,
        )

    def _says(self, holder: etree._Element, target: str, term: str) -> str | None:
        """What is said of an element under a term: in an attribute, within it, or in a place of its own."""
        for name, value in holder.attrib.items():
            if str(name).endswith(term):
                return str(value).lower()
        for place in (holder, *self._apart[target]):
            for annotation in _children(place, "Annotation"):
                for element in annotation.iter("{*}Annotation", "{*}PropertyValue"):
                    if (element.get("Term") or element.get("Property") or "").endswith(term):
                        return _value(element)
        return None


def parse(document: bytes) -> list[EntitySet]:
    """The entity sets that a metadata document describes, by name.

    Raises:
        MetadataError: If it is none. Entities of its own are refused: they are how such documents attack a reader.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError:
        raise MetadataError("it is not XML") from None
    if root.getroottree().docinfo.doctype:
        raise MetadataError("it declares a document type")
    found = Document(root)
    if not found.sets:
        raise MetadataError("it describes nothing")
    return [found.entity_set(name) for name in sorted(found.sets)]


def _key(element: etree._Element) -> Iterator[str]:
    for key in _children(element, "Key"):
        yield from (reference.get("Name", "") for reference in _children(key, "PropertyRef"))


def _value(annotation: etree._Element) -> str:
    """What an annotation says, in an attribute or as text; without a word it says yes."""
    for name in ("Bool", "String", "Int"):
        if value := annotation.get(name):
            return str(value).lower()
    texts = (element.get("Bool") or element.text or "" for element in annotation.iter())
    return next((text.strip().lower() for text in texts if text.strip()), "true")


def _short(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition(".")[2]


def _children(element: etree._Element, name: str) -> Iterable[etree._Element]:
    return (child for child in element if _name(child) == name)


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
