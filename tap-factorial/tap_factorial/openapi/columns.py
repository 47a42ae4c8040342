"""What a described field becomes in a stream's schema, and how the schemas of several versions are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable


Json = dict[str, Any]

NULL = "null"
KINDS = frozenset({"string", "integer", "number", "boolean", "array", "object"})
FORMATS = frozenset({"date", "date-time"})
# What a description without a type tells of it.
IMPLIED = (("properties", "object"), ("additionalProperties", "object"), ("items", "array"))
NAMED = {str: "string", bool: "boolean", int: "integer", float: "number"}
# What a text holds in time, by the end of its name, where the description says nothing. Times of day stay text.
BY_NAME = (("_at", "date-time"), ("_on", "date"), ("_date", "date"), ("date", "date"))


def column(name: str, described: object, resolve: Callable[[object], Json], inside: tuple[int, ...] = ()) -> Json:
    """The schema of a field; it is empty, and allows any value, where the description has no type.

    Every field may be null, whatever is described, and ids are texts in every version.

    Args:
        name: The field's name.
        described: Its description.
        resolve: Follows a reference.
        inside: Identities of the descriptions around it, to end where one contains itself.
    """
    described = resolve(described)
    parts = parts_of(described, resolve)
    if any(id(part) in inside for part in parts):
        return {"type": ["object", NULL]}
    inside = (*inside, *map(id, parts))
    kinds = _kinds(parts)
    if is_id(name):
        kinds = ["string" if kind == "integer" else kind for kind in kinds] or ["string"]
    if not kinds:
        return {}
    found: Json = {"type": [*sorted(set(kinds)), NULL]}
    if kinds == ["string"]:
        form = described.get("format") or next((form for end, form in BY_NAME if name.endswith(end)), None)
        if form in FORMATS and not is_id(name):
            found["format"] = form
    if "array" in kinds:
        items = items_of(parts)
        found["items"] = column(name, items, resolve, inside) if items else {}
    if "object" in kinds and (properties := properties_of(parts)):
        found["properties"] = {
            inner: column(inner, value, resolve, inside) for inner, value in properties.items() if not is_secret(inner)
        }
    return found


def is_id(name: str) -> bool:
    """Whether a field holds an id, or several, by its name."""
    return name in {"id", "uuid"} or name.endswith(("_id", "_ids"))


def parts_of(described: object, resolve: Callable[[object], Json]) -> list[Json]:
    """A description and all that it is made of: it may be several in one, or one of several."""
    found: list[Json] = []

    def add(part: Json) -> None:
        if not any(part is known for known in found):
            found.append(part)
            for word in ("allOf", "anyOf", "oneOf"):
                for inner in part.get(word) or ():
                    add(resolve(inner))

    add(resolve(described))
    return found


def properties_of(parts: list[Json]) -> Json:
    """The fields that the parts of a description name; of what several say differently, it is any."""
    found: Json = {}
    for part in parts:
        for name, described in (part.get("properties") or {}).items():
            is_new = name not in found or found[name] == described
            found[name] = described if is_new else {"anyOf": [found[name], described]}
    return found


def items_of(parts: list[Json]) -> object:
    """What the parts of a description say of an array's items; None: nothing."""
    return next((part["items"] for part in parts if "items" in part), None)


def _kinds(parts: list[Json]) -> list[str]:
    """The types that the parts of a description name; none where one of them names what is no type of JSON."""
    kinds = []
    for part in parts:
        own = part.get("type")
        kinds += [own] if isinstance(own, str) else list(own or _implied(part))
    kinds = [kind for kind in kinds if kind != NULL]
    return kinds if KINDS.issuperset(kinds) else []


def _implied(part: Json) -> list[str]:
    """The types that the other words of a description tell."""
    kinds = [kind for word, kind in IMPLIED if word in part]
    kinds += ["string"] if part.get("format") in FORMATS else []
    return kinds + [NAMED[type(value)] for value in part.get("enum") or () if type(value) in NAMED]


def joined(old: Json, new: Json) -> Json:
    """The schema that holds what two versions say of a field; the order of the two does not matter.

    Where one says nothing of its type, it may be any.
    """
    if not old or not new:
        return {}
    kinds = {kind for schema in (old, new) for kind in schema["type"]}
    if "string" in kinds:
        kinds -= {"integer", "number", "boolean"}  # the tap writes them as text then
    if "number" in kinds:
        kinds.discard("integer")
    found: Json = {"type": [*sorted(kinds - {NULL}), NULL]}
    formats = {schema["format"] for schema in (old, new) if "format" in schema}
    if len(formats) == 1:
        found["format"] = formats.pop()
    items = [schema["items"] for schema in (old, new) if "items" in schema]
    if items:
        described = [item for item in items if item]  # older versions say nothing of what is in many arrays
        found["items"] = joined(described[0], described[-1]) if described else {}
    inner = {**old.get("properties", {}), **new.get("properties", {})}
    if inner:
        parts = [schema.get("properties", {}) for schema in (old, new)]
        told = {name: [part[name] for part in parts if name in part] for name in inner}
        found["properties"] = {name: joined(said[0], said[-1]) for name, said in told.items()}
    return found
