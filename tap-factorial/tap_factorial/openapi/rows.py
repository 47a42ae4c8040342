"""The lines of the table: what a new list's parameters say of it, and the versions that have a list."""

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
AT_ONCE = 50
# It is said to bring in what is pending, and leaves out everything else.
MISLEADING = frozenset({"include_pending"})
# How a parameter says how many values it takes in one request.
AT_MOST = re.compile(
    r"\b(?:at most|up to|no more than|maximum(?: of)?|max\.?)\s+(\d+)\b(?!-)|\b(\d+)(?:\s+\w+)?\s+at (?:the )?most\b",
    re.IGNORECASE,
)


def guessed(
    name: str, fields: Collection[str], parameters: Iterable[Json], lists: Iterable[str], *, pages: bool = True
) -> tuple[Json, list[str]]:
    """The line of a new list, as far as its parameters tell.

    Args:
        name: The list.
        fields: The fields of its rows.
        parameters: Its query parameters.
        lists: All lists, among which its parent may be.
        pages: Whether it comes page by page.

    Returns:
        The line, and the required parameters that nothing is known of.
    """
    row: Json = {}
    key = next((field for field in ("id", "uuid") if field in fields), None)
    if fields and key != "id":  # where nothing is described, an id is likely
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
    needed: Json = {}
    unknown = [parameter for parameter in required if not _needed(needed, known[parameter], name, lists)]
    row |= {"unsent": required} if unknown else needed  # too much may be declared to be required: then none is sent
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


def _needed(row: Json, parameter: Json, name: str, lists: Iterable[str]) -> bool:
    """Note how a required parameter is given its value; False where nothing is known of it."""
    given, schema = parameter["name"], parameter["schema"]
    choices = schema.get("enum") or schema.get("items", {}).get("enum")
    if choices:
        row.setdefault("send" if given.endswith("[]") else "sweep", {})[given] = choices
    elif parent := _parent(given, name.partition("/")[0], lists):
        at_once = min(AT_ONCE, at_most(parameter) or AT_ONCE)
        row |= {"parent": parent, "by": given, **({"at_once": at_once} if at_once > 1 else {})}
    elif given.endswith(ENDS_OF_DAYS):
        row.setdefault("today", []).append(given)
    else:
        return False
    return True


def at_most(parameter: Json) -> int | None:
    """How many values a parameter takes in one request; None: nothing is said of it."""
    if not parameter["name"].endswith("[]"):
        return 1
    told = [parameter["schema"].get("maxItems"), *_numbers(parameter), *_numbers(parameter["schema"])]
    return min((number for number in told if isinstance(number, int) and number > 0), default=None)


def _numbers(described: Json) -> list[int]:
    found = AT_MOST.finditer(str(described.get("description", "")))
    return [int(match[1] or match[2]) for match in found]


def is_flag(parameter: Json) -> bool:
    """Whether a parameter hides rows or amounts unless it is sent."""
    name = parameter["name"]
    is_flag = parameter["schema"].get("type") == "boolean" and name not in MISLEADING
    return is_flag and (name.startswith("include_") or (name.startswith("only_") and bool(parameter.get("required"))))


def _parent(parameter: str, module: str, lists: Iterable[str]) -> str | None:
    """The list whose ids a parameter takes: by its name, in the same module first."""
    found = re.fullmatch(r"(\w+?)_(?:uu)?ids?(\[\])?", parameter)
    if not found:
        return None
    stem = found[1].removeprefix(f"{module}_")
    names = {f"{stem}s", f"{stem}es", f"{stem.removesuffix('y')}ies"}
    matching = [path for path in lists if path.partition("/")[2].replace("-", "_") in names]
    return next((path for path in matching if path.startswith(f"{module}/")), next(iter(matching), None))


def line(name: str, row: Json) -> str:
    """A line of the table."""
    return f"{name} = {_inline(row)}"


def _inline(value: Any) -> str:  # noqa: ANN401 - whatever stands in a line
    if isinstance(value, dict):
        inner = ", ".join(f"{tomlkit.key(name).as_string()} = {_inline(part)}" for name, part in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return str(tomlkit.item(value).as_string())


def with_lines(text: str, lines: dict[str, Json]) -> str:
    """The table with some lists' lines added, or put in the place of what stood there.

    Args:
        text: The table.
        lines: Lines by module and name.
    """
    head, *sections = re.split(r"(?m)^(?=\[lists\.)", text)
    modules = {section[len("[lists.") : section.index("]")]: section.strip().splitlines() for section in sections}
    for path, row in lines.items():
        module, name = path.split("/")
        title, *rows = modules.get(module, [f"[lists.{module}]"])
        rows = sorted([*(old for old in rows if not old.startswith(f"{name} =")), line(name, row)], key=_name)
        modules[module] = [title, *rows]
    parts = ["\n".join(modules[module]) for module in sorted(modules)]
    return "\n\n".join([head.rstrip(), *parts]) + "\n"


def _name(line: str) -> str:
    return line.partition(" =")[0]


def spans(row: Json, present: list[str], versions: list[str]) -> Json:
    """A line with the versions that have its list.

    Args:
        row: The line.
        present: The versions that have it.
        versions: All versions.
    """
    span: Json = {}
    if min(present) != versions[0]:
        span["since"] = min(present)
    if max(present) != versions[-1]:
        span["until"] = max(present)
    return {**span, **{field: value for field, value in row.items() if field not in {"since", "until"}}}
