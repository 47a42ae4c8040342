"""What a described field becomes in a stream's schema, and how the schemas of several versions are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_factorial.openapi.document import Json

NULL = "null"
FORMATS = frozenset({"date", "date-time"})
# What a text holds in time, by the end of its name, where the description says nothing. Times of day stay text.
BY_NAME = (("_at", "date-time"), ("_on", "date"), ("_date", "date"), ("date", "date"))
IDS = ("_id", "_ids")


def column(name: str, described: Json, resolve: Callable[[Json], Json], inside: tuple[int, ...] = ()) -> Json:
    """The schema of a field.

    Every field may be null, whatever is described, and ids are texts in every version.

    Args:
        name: The field's name.
        described: Its description.
        resolve: Follows a reference.
        inside: Identities of the descriptions around it, to end where one contains itself.
    """
    described = resolve(described)
    if id(described) in inside:
        return {"type": ["object", NULL]}
    inside = (*inside, id(described))
    kinds, parts = _kinds(described, resolve)
    is_id = name in {"id", "uuid"} or name.endswith(IDS)
    kinds = ["string" if is_id and kind == "integer" else kind for kind in kinds] or ["string"]
    found: Json = {"type": [*sorted(set(kinds)), NULL]}
    if kinds == ["string"]:
        form = described.get("format") or next((form for end, form in BY_NAME if name.endswith(end)), None)
        if form in FORMATS and not is_id:
            found["format"] = form
    if "array" in kinds:
        items = next((part["items"] for part in parts if "items" in part), None)
        found["items"] = column(name, items, resolve, inside) if items else {}
    if "object" in kinds:
        properties = {inner: value for part in parts for inner, value in part.get("properties", {}).items()}
        if properties:
            found["properties"] = {inner: column(inner, value, resolve, inside) for inner, value in properties.items()}
    return found


def _kinds(described: Json, resolve: Callable[[Json], Json]) -> tuple[list[str], list[Json]]:
    """The types of a description, and its parts: it may be several in one, or one of several."""
    several = [resolve(part) for word in ("allOf", "anyOf", "oneOf") for part in described.get(word, ())]
    own = described.get("type")
    kinds = [own] if isinstance(own, str) else list(own or ())
    if not kinds and "properties" in described:
        kinds = ["object"]
    parts = [described]
    for part in several:
        inner, more = _kinds(part, resolve)
        kinds += inner
        parts += more
    known = {"string", "integer", "number", "boolean", "array", "object"}
    return [kind for kind in kinds if kind in known], parts


def joined(old: Json, new: Json) -> Json:
    """The schema that holds what two versions say of a field; the order of the two does not matter."""
    if not old or not new:
        return old or new
    kinds = {kind for schema in (old, new) for kind in schema["type"]}
    if "string" in kinds:
        kinds -= {"integer", "number", "boolean"}  # the tap writes them as text then
    if "number" in kinds:
        kinds.discard("integer")
    found: Json = {"type": [*sorted(kinds - {NULL}), NULL]}
    formats = {schema["format"] for schema in (old, new) if "format" in schema}
    if len(formats) == 1:
        found["format"] = formats.pop()
    if "items" in old or "items" in new:
        found["items"] = joined(old.get("items", {}), new.get("items", {}))
    inner = {**old.get("properties", {}), **new.get("properties", {})}
    if inner:
        found["properties"] = {
            name: joined(old.get("properties", {}).get(name, {}), new.get("properties", {}).get(name, {}))
            for name in inner
        }
    return found
