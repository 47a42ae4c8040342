"""Rows of the table: what a new list's parameters say about it, and which versions have a list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tomlkit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tap_factorial.openapi.columns import Json

WINDOWS = (("start_on", "end_on"), ("starts_on", "ends_on"), ("start_date", "end_date"), ("from", "to"))
CHANGED_SINCE = ("updated_at_gteq", "updated_from", "updated_after")
ENDS_OF_DAYS = ("_on", "_at", "_date", "date", "_gteq")
BATCH_SIZE = 50
# Documented to add pending rows, but leaves out all others.
MISLEADING = frozenset({"include_pending"})
# How a description states the maximum number of values in one request.
AT_MOST = re.compile(
    r"\b(?:at most|up to|no more than|maximum(?: of)?|max\.?)\s+(\d+)\b(?!-)|\b(\d+)(?:\s+\w+)?\s+at (?:the )?most\b",
    re.IGNORECASE,
)


def guess_row(
    name: str, fields: Collection[str], parameters: Iterable[Json], lists: Iterable[str], *, pages: bool = True
) -> tuple[Json, list[str]]:
    """Returns the row of a new list, as far as its parameters tell.

    Args:
        name: The list.
        fields: The fields of its records.
        parameters: Its query parameters.
        lists: All lists, one of which may be its parent.
        pages: Whether it is paginated.

    Returns:
        The row, and the required parameters that are unknown.
    """
    row: Json = {}
    key = next((field for field in ("id", "uuid") if field in fields), None)
    if fields and key != "id":  # without a description, an id is likely
        row["key"] = [key] if key else []
    known = {parameter["name"]: parameter for parameter in parameters}
    required = [
        parameter["name"]
        for parameter in known.values()
        if parameter.get("required") and parameter["schema"].get("type") != "boolean"
    ]
    for window in WINDOWS:
        if set(window) <= set(required):
            row["window"] = list(window)
            required = [parameter for parameter in required if parameter not in window]
    values: Json = {}
    unknown = [parameter for parameter in required if not _add_required(values, known[parameter], name, lists)]
    row |= {"unsent": required} if unknown else values  # the document may require too much; then none is sent
    send = {parameter: parameter.startswith("include_") for parameter in known if is_flag(known[parameter])}
    row.setdefault("send", {}).update(send)
    since = next((parameter for parameter in CHANGED_SINCE if parameter in known), None)
    if since:
        row["changed_since"] = since
        if "updated_at" not in fields:
            row["bookmark"] = "start"
    if not pages:
        row["one_answer"] = True
    return {field: value for field, value in row.items() if value or field == "key"}, unknown


def _add_required(row: Json, parameter: Json, list_name: str, lists: Iterable[str]) -> bool:
    """Adds the value of a required parameter to the row. False: the parameter is unknown."""
    name, schema = parameter["name"], parameter["schema"]
    choices = schema.get("enum") or schema.get("items", {}).get("enum")
    if choices:
        row.setdefault("send" if name.endswith("[]") else "sweep", {})[name] = choices
    elif parent := _find_parent_list(name, list_name.partition("/")[0], lists):
        at_once = min(BATCH_SIZE, max_values(parameter) or BATCH_SIZE)
        row |= {"parent": parent, "by": name, **({"at_once": at_once} if at_once > 1 else {})}
    elif name.endswith(ENDS_OF_DAYS):
        row.setdefault("today", []).append(name)
    else:
        return False
    return True


def max_values(parameter: Json) -> int | None:
    """Returns the maximum number of values of a parameter in one request, or None if it is not stated."""
    if not parameter["name"].endswith("[]"):
        return 1
    limits = [parameter["schema"].get("maxItems"), *_parse_limits(parameter), *_parse_limits(parameter["schema"])]
    return min((number for number in limits if isinstance(number, int) and number > 0), default=None)


def _parse_limits(described: Json) -> list[int]:
    matches = AT_MOST.finditer(str(described.get("description", "")))
    return [int(match[1] or match[2]) for match in matches]


def is_flag(parameter: Json) -> bool:
    """Whether a parameter hides rows or amounts unless it is sent."""
    name = parameter["name"]
    is_flag = parameter["schema"].get("type") == "boolean" and name not in MISLEADING
    return is_flag and (name.startswith("include_") or (name.startswith("only_") and bool(parameter.get("required"))))


def _find_parent_list(parameter: str, module: str, lists: Iterable[str]) -> str | None:
    """Finds, by the parameter's name, the list whose ids the parameter takes. Prefers a list of the same module."""
    match = re.fullmatch(r"(\w+?)_(?:uu)?ids?(\[\])?", parameter)
    if not match:
        return None
    stem = match[1].removeprefix(f"{module}_")
    names = {f"{stem}s", f"{stem}es", f"{stem.removesuffix('y')}ies"}
    candidates = [path for path in lists if path.partition("/")[2].replace("-", "_") in names]
    return next((path for path in candidates if path.startswith(f"{module}/")), next(iter(candidates), None))


def format_row(name: str, row: Json) -> str:
    """Formats a row of the table."""
    return f"{name} = {_format_inline(row)}"


def _format_inline(value: Any) -> str:  # noqa: ANN401 - any value of a row
    if isinstance(value, dict):
        inner = ", ".join(f"{tomlkit.key(name).as_string()} = {_format_inline(part)}" for name, part in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_format_inline, value))}]"
    return str(tomlkit.item(value).as_string())


def replace_rows(text: str, new_rows: dict[str, Json]) -> str:
    """Adds or replaces rows in the text of the table.

    Args:
        text: The table.
        new_rows: Rows by module and name.
    """
    head, *sections = re.split(r"(?m)^(?=\[lists\.)", text)
    modules = {section[len("[lists.") : section.index("]")]: section.strip().splitlines() for section in sections}
    for path, row in new_rows.items():
        module, name = path.split("/")
        title, *rows = modules.get(module, [f"[lists.{module}]"])
        rows = sorted([*(old for old in rows if not old.startswith(f"{name} =")), format_row(name, row)], key=_row_name)
        modules[module] = [title, *rows]
    parts = ["\n".join(modules[module]) for module in sorted(modules)]
    return "\n\n".join([head.rstrip(), *parts]) + "\n"


def _row_name(format_row: str) -> str:
    return format_row.partition(" =")[0]


def add_version_span(row: Json, present: list[str], versions: list[str]) -> Json:
    """Adds the versions that have a list to its row.

    Args:
        row: The row.
        present: The versions that have it.
        versions: All versions.
    """
    span: Json = {}
    if min(present) != versions[0]:
        span["since"] = min(present)
    if max(present) != versions[-1]:
        span["until"] = max(present)
    return {**span, **{field: value for field, value in row.items() if field not in {"since", "until"}}}
