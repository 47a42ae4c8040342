"""Parses a service's ``$metadata``: entity sets, columns and keys."""

from __future__ import annotations

import re
from collections import defaultdict
from html.entities import name2codepoint
from typing import TYPE_CHECKING

import msgspec
from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FALSE = frozenset({"false", "0", "no"})
OBJECT = "object"
"""The type of a column that holds a described complex value."""

XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
NO_XML = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#0*([0-8]|1[124-9]|2\d|3[01]);|&#[xX]0*([0-8bcefBCEF]|1[0-9a-fA-F]);"
)
"""Characters that XML does not allow, also as references. Labels entered by users may contain them."""

NAMED = re.compile(rb"&(\w+);")


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column.

    Args:
        type: Its OData type, such as ``Edm.Int32``; ``object`` for a complex value.
        scale: Number of decimal places, if declared.
        filterable: Whether filters may use it.
        label: Its label, if declared; custom fields have one.
    """

    type: str
    scale: int | None = None
    filterable: bool = True
    label: str = ""


class EntitySet(msgspec.Struct, frozen=True, omit_defaults=True):
    """A view or an object.

    Args:
        name: Its name, which is the stream's.
        columns: Its columns by name, in order. Empty: not known.
        key: The columns of its key. Empty: none declared.
        tracks_changes: Whether it supports delta links for changes and deletions.
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
                self._collect_elements(schema, prefix)
        if not self.sets:  # without a container, its types are its entity sets
            self.sets = {_strip_namespace(kind): (element, kind) for kind, element in self._types.items()}

    def _collect_elements(self, schema: etree._Element, prefix: str) -> None:
        for element in schema:
            name = f"{prefix}.{element.get('Name')}"
            kind = _local_name(element)
            if kind == "EntityType":
                self._types[name] = element
            elif kind == "EnumType":
                self._simple[name] = "Edm.String"
            elif kind == "ComplexType":
                self._simple[name] = OBJECT
            elif kind == "TypeDefinition":
                self._simple[name] = element.get("UnderlyingType", "Edm.String")
            elif kind == "Annotations":
                # The container's set, a type, or a type's column: Space.All/set, Space.type, Space.type/column.
                owner, _, last = element.get("Target", "").rpartition("/")
                for target in {last.rpartition(".")[2], f"{_strip_namespace(owner)}/{last}"}:
                    self._apart[target].append(element)
            elif kind == "EntityContainer":
                for part in _children_named(element, "EntitySet"):
                    self.sets[part.get("Name", "")] = (part, part.get("EntityType", ""))

    def entity_set(self, name: str) -> EntitySet:
        """Returns a set by its name, without columns if its type is not described."""
        element, kind = self.sets[name]
        lineage = self._type_hierarchy(kind)
        tracks = any(
            self._is_term_true(holder, target, "ObjectSupportsChangeTracking", default=False)
            for holder, target in ((element, name), *((part, _strip_namespace(kind)) for part in lineage))
        )
        columns = {
            found.get("Name", ""): self._make_column(found, _strip_namespace(kind))
            for part in lineage
            for found in _children_named(part, "Property")
            if found.get("Name")
        }
        by_lower_name = {column.lower(): column for column in reversed(columns)}
        key = (
            part if part in columns else by_lower_name.get(part.lower(), part)
            for one in lineage
            for part in _key_names(one)
        )
        return EntitySet(name, columns, tuple(dict.fromkeys(key)), tracks_changes=tracks)

    def _type_hierarchy(self, kind: str) -> list[etree._Element]:
        """Returns a type after its base types."""
        found: list[etree._Element] = []
        while kind in self._types and self._types[kind] not in found:
            found.insert(0, self._types[kind])
            kind = self._types[kind].get("BaseType", "")
        return found

    def _make_column(self, element: etree._Element, owner: str) -> Column:
        scale, kind, target = (
            element.get("Scale", ""),
            element.get("Type", "Edm.String"),
            f"{owner}/{element.get('Name')}",
        )
        return Column(
            self._simple.get(kind, kind),
            scale=int(scale) if scale.isdigit() else None,
            filterable=self._is_term_true(element, target, "FieldIsFilteringAllowed", default=True),
            label=" ".join((self._term_value(element, target, "FieldHeading") or "").split()),
        )

    def _is_term_true(self, holder: etree._Element, target: str, term: str, *, default: bool) -> bool:
        """Returns whether a term is true for an element; it is if it has no value."""
        value = self._term_value(holder, target, term)
        return default if value is None else value.lower() not in FALSE

    def _term_value(self, holder: etree._Element, target: str, term: str) -> str | None:
        """Returns the value of a term for an element: an attribute, a nested annotation or a separate one."""
        for name, value in holder.attrib.items():
            if str(name).endswith(term):
                return str(value)
        for place in (holder, *self._apart[target]):
            for annotation in _children_named(place, "Annotation"):
                for element in annotation.iter("{*}Annotation", "{*}PropertyValue"):
                    if (element.get("Term") or element.get("Property") or "").endswith(term):
                        return _annotation_value(element)
        return None


def parse(document: bytes) -> list[EntitySet]:
    """Returns the entity sets of a metadata document, by name.

    Raises:
        MetadataError: If it is invalid. Documents with their own entities are rejected, as they can attack a parser.
    """
    try:
        root = _parse_root(document)
    except etree.XMLSyntaxError:
        try:
            root = _parse_root(_repair_xml(document))
        except etree.XMLSyntaxError:
            raise MetadataError("it is not XML") from None
    if root.getroottree().docinfo.doctype:
        raise MetadataError("it declares a document type")
    found = Document(root)
    if not found.sets:
        raise MetadataError("it describes nothing")
    return [found.entity_set(name) for name in sorted(found.sets)]


def _parse_root(document: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(document, parser)


def _repair_xml(document: bytes) -> bytes:
    """Removes what XML does not allow: control characters, HTML entities, bytes that are not UTF-8."""
    text = NO_XML.sub(b"", document.decode("utf-8", "backslashreplace").encode())
    return NAMED.sub(_number_entity, text)


def _number_entity(found: re.Match[bytes]) -> bytes:
    """Converts an HTML entity to its number, which XML supports."""
    name = found[1].decode()
    number = None if name in XML_ENTITIES else name2codepoint.get(name)
    return found[0] if number is None else f"&#{number};".encode()


def _key_names(element: etree._Element) -> Iterator[str]:
    for key in _children_named(element, "Key"):
        yield from (reference.get("Name", "") for reference in _children_named(key, "PropertyRef"))


def _annotation_value(annotation: etree._Element) -> str:
    """Returns the value of an annotation, an attribute or text. Empty: it has none."""
    for name in ("Bool", "String", "Int"):
        if value := annotation.get(name):
            return str(value)
    texts = (element.get("Bool") or element.text or "" for element in annotation.iter())
    return next((text.strip() for text in texts if text.strip()), "")


def _strip_namespace(name: str) -> str:
    """Returns a name without its namespace."""
    return name.rpartition(".")[2]


def _children_named(element: etree._Element, name: str) -> Iterable[etree._Element]:
    return (child for child in element if _local_name(child) == name)


def _local_name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
