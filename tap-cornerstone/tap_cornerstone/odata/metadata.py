"""What a service's ``$metadata`` says: its entity sets, their columns and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FALSE = frozenset({"false", "0"})


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column.

    Args:
        type: Its OData type, such as ``Edm.Int32``.
        scale: Digits behind the point of a decimal, where they are declared.
        filterable: Whether it may stand in a filter.
        user_defined: Whether the portal made it.
    """

    type: str
    scale: int | None = None
    filterable: bool = True
    user_defined: bool = False


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
    types = {element.get("Name", ""): element for element in _named(root, "EntityType")}
    sets = {
        element.get("Name", ""): element.get("EntityType", "").rpartition(".")[2]
        for element in _named(root, "EntitySet")
    }
    tracked = _said(root, "ChangeTracking")
    found = [
        EntitySet(
            name,
            dict(_columns(types, kind)),
            tuple(_key(types, kind)),
            tracks_changes=name in tracked or kind in tracked,
        )
        for name, kind in sorted((sets or {name: name for name in types}).items())
        if kind in types
    ]
    if not found:
        raise MetadataError("it describes nothing")
    return found


def _columns(types: dict[str, etree._Element], kind: str) -> Iterator[tuple[str, Column]]:
    for part in _lineage(types, kind):
        for element in _children(part, "Property"):
            scale = element.get("Scale", "")
            yield (
                element.get("Name", ""),
                Column(
                    element.get("Type", "Edm.String"),
                    scale=int(scale) if scale.isdigit() else None,
                    filterable=_annotation(element, "FieldIsFilteringAllowed") not in FALSE,
                    user_defined=_annotation(element, "IsUserDefined") not in FALSE | {None},
                ),
            )


def _key(types: dict[str, etree._Element], kind: str) -> Iterator[str]:
    for part in _lineage(types, kind):
        for key in _children(part, "Key"):
            yield from (reference.get("Name", "") for reference in _children(key, "PropertyRef"))


def _lineage(types: dict[str, etree._Element], kind: str) -> list[etree._Element]:
    """A type and those that it extends, the first of them first."""
    found: list[etree._Element] = []
    while kind in types and types[kind] not in found:
        found.insert(0, types[kind])
        kind = types[kind].get("BaseType", "").rpartition(".")[2]
    return found


def _said(root: etree._Element, term: str) -> set[str]:
    """The types and sets of which an annotation says yes: within them, or in a place of its own."""
    found = set()
    for element in _named(root, "Annotation"):
        if not element.get("Term", "").endswith(term) or _value(element) in FALSE:
            continue
        parent = element.getparent()
        target = parent.get("Target") or parent.get("Name") if parent is not None else None
        if target:
            found.add(target.rpartition("/")[2].rpartition(".")[2])
    return found


def _annotation(element: etree._Element, term: str) -> str | None:
    return next(
        (_value(child) for child in _children(element, "Annotation") if child.get("Term", "").endswith(term)), None
    )


def _value(annotation: etree._Element) -> str:
    """What an annotation says, in an attribute or as text; without a word it says yes."""
    for name in ("Bool", "String"):
        if value := annotation.get(name):
            return value.lower()
    inner = [
        element.get("Bool") or element.text or "" for element in annotation.iter() if _name(element) != "Annotation"
    ]
    return next((text.strip().lower() for text in [annotation.text or "", *inner] if text.strip()), "true")


def _named(root: etree._Element, name: str) -> Iterable[etree._Element]:
    return root.iter(f"{{*}}{name}")


def _children(element: etree._Element, name: str) -> Iterable[etree._Element]:
    return (child for child in element if _name(child) == name)


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
