"""The agreement: a dossier as YAML that somebody agreed to. A run under it must not load more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from singer_rest.dossier.answers import read_yaml
from singer_rest.dossier.contract import DROP, find_custom, fingerprint_maps, stream_maps_of
from singer_rest.errors import RunError
from singer_rest.privacy.classes import TOP_CLASSES, UNCLASSIFIED
from singer_rest.privacy.classification import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from singer_rest.dossier.inventory import Inventory

Kind = Literal["added", "removed", "looser", "stricter", "class", "maps"]
LOOSER: tuple[Kind, ...] = ("added", "looser", "class", "maps")
"""Differences by which a run loads more than agreed."""
STRICTER_ACTIONS = {
    "keep": frozenset({"pseudonym", "year", "month", "last_month", "area", "rebase"}),
    "last_month": frozenset({"month", "year"}),
    "month": frozenset({"year"}),
}
"""The actions that say less of a value than another one, of those by which it is loaded."""
IMPERSONAL = frozenset({"organisational", "technical"})


class Treated(NamedTuple):
    """How a column is loaded.

    Args:
        protection: Its class.
        action: What happens to its values.
    """

    protection: str
    action: str


Loaded = dict[str, dict[str, Treated]]
"""The loaded columns by stream and path."""


@dataclass(frozen=True)
class Difference:
    """A difference between what would be loaded and what was agreed.

    Args:
        kind: What differs. `class`: it is of a class that does more harm than the one that was agreed to.
        stream: The stream.
        path: The column. Empty: the stream as a whole, without a column in the dossier.
        agreed: How it was agreed to. None: it was not.
        current: How it would be loaded. None: it would not be.
    """

    kind: Kind
    stream: str
    path: str = ""
    agreed: Treated | None = None
    current: Treated | None = None

    @property
    def is_more(self) -> bool:
        """Whether more would be loaded than agreed."""
        return self.kind in LOOSER

    def to_json(self) -> dict[str, Any]:
        """Returns the difference as a JSON object."""
        return {
            "kind": self.kind,
            "stream": self.stream,
            "path": self.path,
            "agreed": self.agreed and self.agreed._asdict(),
            "current": self.current and self.current._asdict(),
        }


@dataclass(frozen=True)
class Agreement:
    """What was agreed to.

    Args:
        tap: The tap.
        profile: The name of the privacy profile.
        maps: The fingerprint of the stream maps. Empty: there were none.
        loaded: The columns.
    """

    tap: str
    profile: str
    maps: str
    loaded: Loaded


def load_agreement(path: Path, tap: str, what: str) -> Agreement:
    """Reads a dossier.

    Args:
        path: The YAML file.
        tap: The name of the tap that it must be of.
        what: The option or setting that names the file.

    Raises:
        RunError: If it cannot be read, or is not a dossier of this tap.
    """
    content = read_yaml(path, what)
    try:
        found = Agreement(
            find_custom(content, "tap"),
            find_custom(content, "profile"),
            find_custom(content, "streamMaps") or "",
            {table["name"]: dict(_read_table(table)) for table in content["schema"] or []},
        )
    except (TypeError, KeyError, AttributeError, ValueError):
        raise RunError(f"The file given with {what} is not a dossier: write one with --dossier FILE.yaml.") from None
    if found.tap != tap:
        raise RunError(f"The file given with {what} is not a dossier of {tap}.")
    return found


def _read_table(table: dict[str, Any]) -> Iterator[tuple[str, Treated]]:
    yield from _read_properties(table.get("properties") or [])
    for rows in find_custom(table, "rows") or []:
        if rows["transformLogic"] != DROP:
            yield rows["path"], Treated(rows["classification"], rows["transformLogic"])


def _read_properties(properties: list[dict[str, Any]], prefix: str = "") -> Iterator[tuple[str, Treated]]:
    for part in properties:
        path, inner = f"{prefix}{part['name']}", part
        while inner.get("items") and "transformLogic" not in inner:
            path, inner = f"{path}[]", inner["items"]
        if "transformLogic" in inner:
            yield path.removesuffix("[]"), Treated(str(inner["classification"]), str(inner["transformLogic"]))
        else:
            yield from _read_properties(inner["properties"], f"{path}.")


def loaded_columns(inventory: Inventory) -> Loaded:
    """Returns what would be loaded."""
    return {
        table.name: {
            **{column.path: Treated(column.protection.name, column.action) for column in table.loaded},
            **{rows.path: Treated(rows.rule.name, "keep") for rows in table.row_groups if rows.is_loaded},
        }
        for table in inventory.tables
    }


def compare(agreement: Agreement, inventory: Inventory) -> list[Difference]:
    """Compares what would be loaded with what was agreed.

    Returns:
        The differences, in the order of the streams and columns.
    """
    current = loaded_columns(inventory)
    found = []
    if fingerprint_maps(stream_maps_of(inventory)) != agreement.maps:
        found.append(Difference("maps", ""))
    for stream in {**current, **agreement.loaded}:
        found += _compare_stream(stream, agreement.loaded.get(stream, {}), current.get(stream, {}))
    return found


def _compare_stream(stream: str, agreed: Mapping[str, Treated], current: Mapping[str, Treated]) -> Iterator[Difference]:
    for path, now in current.items():
        then = agreed.get(path)
        if then is None and path == DELETED_AT:  # that a row is gone is no more than the row said
            continue
        # Or it is in an object that was agreed to as a whole, whatever is in it.
        within = None if then else next((outer for outer in agreed if _is_within(path, outer)), None)
        if then is None and within is None:
            yield Difference("added", stream, path, None, now)
        elif then is None or then.action != now.action:
            then = then or agreed[within or ""]
            if then.action != now.action:
                is_stricter = now.action in STRICTER_ACTIONS.get(then.action, ())
                yield Difference("stricter" if is_stricter else "looser", stream, path, then, now)
        elif is_more_harmful(now.protection, then.protection):
            yield Difference("class", stream, path, then, now)
    for path, then in agreed.items():
        if path not in current and not any(_is_within(inner, path) for inner in current):
            yield Difference("removed", stream, path, then, None)


def _is_within(path: str, outer: str) -> bool:
    return path.startswith((f"{outer}.", f"{outer}[]."))


def is_more_harmful(name: str, agreed: str) -> bool:
    """Whether a class can do more harm than the one that was agreed to. An unknown class may do any harm."""
    top, agreed_top = name.partition(".")[0], agreed.partition(".")[0]
    if top == agreed_top:
        return False
    if UNCLASSIFIED in {top, agreed_top}:
        return top not in IMPERSONAL
    return agreed_top not in TOP_CLASSES or TOP_CLASSES.index(top) < TOP_CLASSES.index(agreed_top)
