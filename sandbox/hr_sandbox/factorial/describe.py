"""Generates the tables of resources, fields and parameters from the OpenAPI descriptions of all versions.

    python -m hr_sandbox.factorial.describe [--hints HINTS] DOCUMENT...

Each document describes one version. The hints are a JSON list with details about the fields of the newest version:
formats, references, nested values. Only names, types and values are kept.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

Json = dict[str, Any]
TABLES = Path(__file__).parent / "described"
FORMATS = {"date-time": "timestamp", "date": "day", "time": "clock", "unix-epoch-seconds": "epoch"}
PLAIN = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean", "object": "object"}
# By suffix, where there is no hint.
BY_NAME = (("_at", "timestamp"), ("_on", "day"), ("_date", "day"))
FIRST = "2026-01-01"  # not described; the same as the oldest description, except for what is in LATER
LATER = frozenset({"project_management/budget_strategies"})


class Document:
    """The description of one version."""

    def __init__(self, document: Json) -> None:
        self.version: str = document["info"]["version"]
        self._schemas: Json = document["components"]["schemas"]
        self.endpoints: dict[str, Json] = {}
        self.single: set[str] = set()
        pattern = re.compile(rf"/api/{self.version}/resources/(\w+/\w+)(/\{{id\}})?")
        for path, operations in document["paths"].items():
            found = pattern.fullmatch(path)
            if found and "get" in operations:
                if found[2]:
                    self.single.add(found[1])
                else:
                    self.endpoints[found[1]] = operations["get"]

    def find_field_types(self, resource: str) -> dict[str, str]:
        """Returns the types of a resource's fields."""
        response = self.endpoints[resource]["responses"]["200"]["content"]["application/json"]["schema"]
        item = self._resolve_reference(self._resolve_reference(response)["properties"]["data"]["items"])
        return {name: self._read_type(schema) for name, schema in item["properties"].items()}

    def find_parameters(self, resource: str) -> dict[str, Json]:
        """Returns the types and values of a resource's parameters."""
        found = {}
        for row in self.endpoints[resource]["parameters"]:
            schema = self._resolve_reference(row["schema"])
            inner = self._resolve_reference(schema.get("items", schema))
            choices = inner.get("enum")
            kind = "choice" if choices else PLAIN.get(inner.get("type", ""), "text")
            found[row["name"]] = {"type": kind, **({"of": choices} if choices else {})}
        return found

    def _resolve_reference(self, schema: Json) -> Json:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def _read_type(self, schema: Json) -> str:
        schema = self._resolve_reference(schema)
        kind: str = schema.get("type", "string")
        if kind == "array":
            inner: str = self._resolve_reference(schema.get("items", {})).get("type", "object")
            return f"{inner}[]"
        return kind


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith(("_id", "_ids"))


def _join_types(name: str, types: dict[str, str]) -> str:
    """Returns the type of a field from its types in all versions. Ids were once integers, except for new ones."""
    kinds = list(types.values())
    was_number = kinds[0] in {"integer", "integer[]"} and (kinds[-1] in {"string", "string[]"} or _is_id(name))
    new = FIRST not in types and "2026-04-01" not in types and _is_id(name)
    many = kinds[-1].endswith("[]")
    if was_number or (new and kinds[-1].startswith("string")):
        return "ids" if many else "id"
    inner = kinds[-1].removesuffix("[]")
    return f"{PLAIN[inner]}s" if many else PLAIN[inner]


def _describe_shape(schema: Json) -> Any:  # noqa: ANN401  a tree of names and types
    """Returns a nested value: an object of names, a list with one element, or a type."""
    if schema.get("type") == "object" or "properties" in schema:
        return {name: _describe_shape(inner) for name, inner in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_describe_shape(schema.get("items", {}))]
    return "|".join(map(str, schema["enum"])) if "enum" in schema else PLAIN.get(schema.get("type", ""), "number")


def _describe_field(name: str, kind: str, hint: Json) -> Json:
    row: Json = {"type": kind}
    hinted_format = str(hint.get("format_hint", "")).removesuffix(" (by name)")
    by_name = next((form for end, form in BY_NAME if name.endswith(end)), None)
    if kind in {"text", "integer"} and (form := FORMATS.get(hinted_format) or (by_name if kind == "text" else None)):
        row["form"] = form
    if hint.get("type_unreliable"):
        row["unreliable"] = True
    for name_, hint_name in (("of", "enum"), ("refers", "references")):
        if hint.get(hint_name):
            row[name_] = hint[hint_name]
    if hint.get("in_spec_required"):
        row["always"] = True
    if "json_schema" in hint:
        row["shape"] = _describe_shape(hint["json_schema"])
    return row


def _describe_span(present: list[str], versions: list[str]) -> Json:
    """Returns the first version and the first one after the last, if these are not the defaults."""
    span = {} if present[0] == versions[0] else {"since": present[0]}
    last = versions.index(present[-1])
    return span if last == len(versions) - 1 else {**span, "until": versions[last + 1]}


def describe_resources(documents: list[Json], hints: list[Json]) -> dict[str, dict[str, Json]]:
    """Returns the tables by module. The documents are sorted by version, oldest first."""
    read = [Document(row) for row in documents]
    versions = [FIRST, *(row.version for row in read)]
    hinted = {row["resource"]: row for row in hints}
    tables: defaultdict[str, dict[str, Json]] = defaultdict(dict)
    for resource in sorted({name for row in read for name in row.endpoints}):
        present_in = {row.version: row for row in read if resource in row.endpoints}
        if versions[1] in present_in and resource not in LATER:
            present_in = {FIRST: present_in[versions[1]], **present_in}
        hint = hinted.get(resource, {})
        details = hint.get("fields_detail", {})
        fields = _collect_versions({version: row.find_field_types(resource) for version, row in present_in.items()})
        parameters = _collect_versions({version: row.find_parameters(resource) for version, row in present_in.items()})
        needed = [row["name"] for row in hint.get("required_params", ()) if row["really_required"].startswith("yes")]
        tables[resource.partition("/")[0]][resource] = {
            **_describe_span(list(present_in), versions),
            "single": any(resource in row.single for row in present_in.values()),
            **({"scope": scope} if (scope := hint.get("oauth_scope_documented")) else {}),
            **({"needs": needed} if needed else {}),
            "parameters": {
                name: {**list(kinds.values())[-1], **_describe_part_span(kinds, present_in, versions)}
                for name, kinds in parameters.items()
            },
            "fields": {
                name: {
                    **_describe_field(name, _join_types(name, types), details.get(name, {})),
                    **_describe_part_span(types, present_in, versions),
                }
                for name, types in fields.items()
            },
        }
    return tables


def _collect_versions(present_in: dict[str, Json]) -> dict[str, Json]:
    """Returns the descriptions of each name by version, in the order of the newest version."""
    found: dict[str, Json] = {}
    for version in reversed(present_in):
        for name, value in present_in[version].items():
            found[name] = {version: value, **found.get(name, {})}
    return found


def _describe_part_span(values: dict[str, Any], present_in: dict[str, Any], versions: list[str]) -> Json:
    """Returns the versions of a part of a resource, if they differ from those of the resource."""
    span = _describe_span(list(values), versions)
    whole = _describe_span(list(present_in), versions)
    return {key: value for key, value in span.items() if whole.get(key) != value}


def write_tables(tables: dict[str, dict[str, Json]], folder: Path = TABLES) -> None:
    """Writes one file per module, with one line per field and parameter."""
    for module, resources in tables.items():
        lines = ["{"]
        for index, (resource, table) in enumerate(resources.items()):
            lines.append(f'"{resource}": {{')
            for place, (key, value) in enumerate(table.items()):
                end = "," if place < len(table) - 1 else ""
                if isinstance(value, dict) and value:
                    inner = [f'  "{name}": {json.dumps(row, ensure_ascii=False)}' for name, row in value.items()]
                    lines += [f' "{key}": {{', ",\n".join(inner), f" }}{end}"]
                else:
                    lines.append(f' "{key}": {json.dumps(value)}{end}')
            lines.append("}" if index == len(resources) - 1 else "},")
        (folder / f"{module}.json").write_text("\n".join([*lines, "}", ""]), encoding="utf-8")


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--hints", type=Path)
    arguments = parser.parse_args()
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.documents]
    documents.sort(key=lambda row: str(row["info"]["version"]))
    write_tables(
        describe_resources(
            documents, json.loads(arguments.hints.read_text(encoding="utf-8")) if arguments.hints else []
        )
    )


if __name__ == "__main__":
    main()
