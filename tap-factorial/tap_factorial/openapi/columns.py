"""Converts described fields to a stream's schema and merges the schemas of several versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable


Json = dict[str, Any]

NULL = "null"
KINDS = frozenset({"string", "integer", "number", "boolean", "array", "object"})
FORMATS = frozenset({"date", "date-time"})
# What a description without a type implies.
IMPLIED = (("properties", "object"), ("additionalProperties", "object"), ("items", "array"))
NAMED = {str: "string", bool: "boolean", int: "integer", float: "number"}
# Time formats by the end of the field's name, if the description states none. Times of day stay text.
BY_NAME = (("_at", "date-time"), ("_on", "date"), ("_date", "date"), ("date", "date"))


def field_schema(name: str, described: object, resolve: Callable[[object], Json], inside: tuple[int, ...] = ()) -> Json:
    """Returns the schema of a field. Empty, so that any value is valid, if the description has no type.

    Every field may be null, whatever the description says, and ids are text in every version.

    Args:
        name: Name of the field.
        described: Its description.
        resolve: Resolves a reference.
        inside: Identities of the enclosing descriptions, to stop at recursive ones.
    """
    described = resolve(described)
    parts = parts_of(described, resolve)
    if any(id(part) in inside for part in parts):
        return {"type": ["object", NULL]}
    inside = (*inside, *map(id, parts))
    kinds = _types_of_parts(parts)
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
        found["items"] = field_schema(name, items, resolve, inside) if items else {}
    if "object" in kinds and (properties := properties_of(parts)):
        found["properties"] = {
            inner: field_schema(inner, value, resolve, inside)
            for inner, value in properties.items()
            if not is_secret(inner)
        }
    return found


def is_id(name: str) -> bool:
    """Whether a field holds one or more ids, by its name."""
    return name in {"id", "uuid"} or name.endswith(("_id", "_ids"))


def parts_of(described: object, resolve: Callable[[object], Json]) -> list[Json]:
    """Returns a description and all its parts (`allOf`, `anyOf`, `oneOf`)."""
    found: list[Json] = []

    def add_part(part: Json) -> None:
        if not any(part is known for known in found):
            found.append(part)
            for word in ("allOf", "anyOf", "oneOf"):
                for inner in part.get(word) or ():
                    add_part(resolve(inner))

    add_part(resolve(described))
    return found


def properties_of(parts: list[Json]) -> Json:
    """Returns the fields of all parts of a description. Fields that differ between parts allow any value."""
    found: Json = {}
    for part in parts:
        for name, described in (part.get("properties") or {}).items():
            is_new = name not in found or found[name] == described
            found[name] = described if is_new else {"anyOf": [found[name], described]}
    return found


def items_of(parts: list[Json]) -> object:
    """Returns the parts' descriptions of an array's items. None: there is none."""
    return next((part["items"] for part in parts if "items" in part), None)


def _types_of_parts(parts: list[Json]) -> list[str]:
    """Returns the types of all parts of a description. Empty if one of them is not a JSON type."""
    kinds = []
    for part in parts:
        own = part.get("type")
        kinds += [own] if isinstance(own, str) else list(own or _implied_types(part))
    kinds = [kind for kind in kinds if kind != NULL]
    return kinds if KINDS.issuperset(kinds) else []


def _implied_types(part: Json) -> list[str]:
    """Returns the types implied by the other keywords of a description."""
    kinds = [kind for word, kind in IMPLIED if word in part]
    kinds += ["string"] if part.get("format") in FORMATS else []
    return kinds + [NAMED[type(value)] for value in part.get("enum") or () if type(value) in NAMED]


def merge_schemas(old: Json, new: Json) -> Json:
    """Merges two versions' schemas of a field, in any order, without their descriptions.

    If one has no type, any value is valid.
    """
    if "type" not in old or "type" not in new:
        return {}
    kinds = {kind for schema in (old, new) for kind in schema["type"]}
    if "string" in kinds:
        kinds -= {"integer", "number", "boolean"}  # the tap then writes them as text
    if "number" in kinds:
        kinds.discard("integer")
    found: Json = {"type": [*sorted(kinds - {NULL}), NULL]}
    formats = {schema["format"] for schema in (old, new) if "format" in schema}
    if len(formats) == 1:
        found["format"] = formats.pop()
    items = [schema["items"] for schema in (old, new) if "items" in schema]
    if items:
        # Older versions do not describe the items of many arrays.
        described = [item for item in items if "type" in item]
        found["items"] = merge_schemas(described[0], described[-1]) if described else {}
    inner = {**old.get("properties", {}), **new.get("properties", {})}
    if inner:
        parts = [schema.get("properties", {}) for schema in (old, new)]
        schemas = {name: [part[name] for part in parts if name in part] for name in inner}
        found["properties"] = {name: merge_schemas(variants[0], variants[-1]) for name, variants in schemas.items()}
    return found


def with_descriptions(schema: Json, old: Json) -> Json:
    """Returns a field's schema with the descriptions that an earlier schema of it has, also for nested fields."""
    found = {word: value for word, value in schema.items() if word not in {"items", "properties"}}
    if "description" in old:
        found["description"] = old["description"]
    if "items" in schema:
        found["items"] = with_descriptions(schema["items"], old.get("items", {}))
    if "properties" in schema:
        known = old.get("properties", {})
        found["properties"] = {
            name: with_descriptions(inner, known.get(name, {})) for name, inner in schema["properties"].items()
        }
    return found
