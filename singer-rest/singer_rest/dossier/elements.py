"""Builds HTML as a tree, so that every text is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    Child: TypeAlias = str | ET.Element | "Iterable[Child]" | None

CODE = re.compile(r"`([^`]+)`")


def element(tag: str, *children: Child, **attributes: str | None) -> ET.Element:
    """Returns an element.

    Args:
        tag: Its name.
        *children: Texts, elements, iterables of these, or None for nothing.
        **attributes: Its attributes, with `class_` for `class`. None: it is left out.
    """
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    found = ET.Element(tag, named)
    for child in _flatten(children):
        if isinstance(child, ET.Element):
            found.append(child)
        elif len(found):
            found[-1].tail = (found[-1].tail or "") + child
        else:
            found.text = (found.text or "") + child
    return found


def _flatten(children: Iterable[Child]) -> Iterator[str | ET.Element]:
    for child in children:
        if isinstance(child, (str, ET.Element)):
            yield child
        elif child is not None:
            yield from _flatten(child)


def code(text: str) -> ET.Element:
    """Returns a text in a code span, with places at which long names may be broken."""
    parts = re.split(r"(?<=[._\]])(?=\w)", text)
    return element("code", [child for part in parts for child in (element("wbr"), part)][1:])


def prose(text: str) -> list[Child]:
    """Returns a text with code between backticks as children of an element."""
    return [code(part) if number % 2 else part for number, part in enumerate(CODE.split(text))]


def to_html(root: ET.Element) -> str:
    """Returns a page as text."""
    # Python 3.10 does not know that this element has no end; in texts, < is escaped.
    text = ET.tostring(root, encoding="unicode", method="html").replace("</wbr>", "")
    return f"<!doctype html>\n{text}\n"
