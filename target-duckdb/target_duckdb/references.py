"""What a tap says of the values of its columns: their protection class, and the people that they refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ITEMS = "[]"
"""Stands for the items of a list in a path."""
ID, NUMBER, EMAIL, NAME, ROW = "id", "number", "email", "name", "row"
_CLASS, _REFERS_TO, _PATHS = "x-protection", "x-refers-to", "x-paths"


@dataclass(frozen=True)
class Reference:
    """The values at a path of a record.

    Attributes:
        path: The names that lead to them, with `[]` for the items of a list.
        protection: Their protection class.
        form: `id`, `number`, `email` or `name` of a person, `row` for the id of a row about the same person, or empty.
        space: The kind of id. Ids of one kind are comparable within a schema.
        is_mention: Whether the row only mentions the person. Otherwise it is about them.
        when: The column and the value that say that the ids are of people. None: they always are.
        stream: The stream whose rows the ids are of, if the form is `row`.
    """

    path: tuple[str, ...]
    protection: str = ""
    form: str = ""
    space: str = ""
    is_mention: bool = False
    when: tuple[str, str] | None = None
    stream: str = ""

    @property
    def is_in_list(self) -> bool:
        """Whether a record may have several of the values."""
        return ITEMS in self.path

    @property
    def is_subject(self) -> bool:
        """Whether a row with the value of a person is about this person."""
        return bool(self.form) and self.form != ROW and not self.is_mention and not self.is_in_list

    def to_json(self) -> dict[str, Any]:
        """Returns the reference as JSON, without what is empty."""
        values = {
            "path": list(self.path),
            "class": self.protection,
            "form": self.form,
            "space": self.space,
            "mention": self.is_mention,
            "when": list(self.when or ()),
            "stream": self.stream,
        }
        return {name: value for name, value in values.items() if value}


def parse_references(values: Any) -> list[Reference] | None:  # noqa: ANN401 - a user may have edited it
    """Returns references that were stored as JSON. None if nothing was stored."""
    if not isinstance(values, list):
        return None
    return [
        Reference(
            tuple(value["path"]),
            value.get("class", ""),
            value.get("form", ""),
            value.get("space", ""),
            is_mention=value.get("mention", False),
            when=tuple(value["when"]) if value.get("when") else None,
            stream=value.get("stream", ""),
        )
        for value in values
    ]


def find_references(schema: Mapping[str, Any]) -> list[Reference]:
    """Returns what the schema of a SCHEMA message says of its values. Empty if the tap says nothing."""
    return list(_walk((), schema))


def merge_references(known: Iterable[Reference], new: Iterable[Reference]) -> list[Reference]:
    """Returns all references. The new ones replace those of the same path."""
    return list(({item.path: item for item in known} | {item.path: item for item in new}).values())


def _walk(path: tuple[str, ...], part: Any) -> Iterator[Reference]:  # noqa: ANN401 - a schema may be anything
    if not isinstance(part, dict):
        return
    items = part.get("items")
    is_list = isinstance(items, dict) and not part.get("properties")
    if path and (_CLASS in part or _REFERS_TO in part):
        yield _make_reference((*path, ITEMS) if is_list else path, part)
    below = part.get(_PATHS)
    for text, keywords in below.items() if isinstance(below, dict) else ():
        yield _make_reference((*path, *_split(text)), keywords)
    properties = part.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        yield from _walk((*path, name), inner)
    if is_list:
        yield from _walk((*path, ITEMS), items)


def _split(text: str) -> Iterator[str]:
    """Splits a path such as `[].person.id`."""
    for part in text.split("."):
        name = part.removesuffix(ITEMS)
        if name:
            yield name
        if part != name:
            yield ITEMS


def _make_reference(path: tuple[str, ...], keywords: Mapping[str, Any]) -> Reference:
    refers = keywords.get(_REFERS_TO)
    refers = refers if isinstance(refers, dict) else {}
    when = refers.get("when")
    return Reference(
        path,
        str(keywords.get(_CLASS, "")),
        str(refers.get("form", "")),
        str(refers.get("space", "")),
        is_mention=refers.get("role") == "mention",
        when=next(((str(name), str(value)) for name, value in when.items()), None) if isinstance(when, dict) else None,
        stream=str(refers.get("stream", "")),
    )
