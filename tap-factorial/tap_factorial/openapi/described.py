"""The tap's knowledge of the lists: the table and schemas in the package, updated from OpenAPI documents."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import tomlkit
from singer_rest import is_secret

from tap_factorial.openapi import rows
from tap_factorial.openapi.columns import NULL, field_schema, merge_schemas, with_descriptions
from tap_factorial.openapi.compared import describe_differences
from tap_factorial.openapi.document import DocumentError
from tap_factorial.table import Row, Table, parse_table, stream_name

if TYPE_CHECKING:
    from pathlib import Path

    from tap_factorial.openapi.columns import Json
    from tap_factorial.openapi.document import Document


class Described:
    """The schemas and the table in the package. Changes from documents stay in memory until `write`.

    Args:
        package: The directory.
    """

    def __init__(self, package: Path) -> None:
        self._package = package
        self._table = package / "lists.toml"
        self._schemas = package / "schemas"
        self._new: dict[Path, str] = {}
        corrections = tomlkit.parse((package / "corrections.toml").read_text("utf-8")).unwrap()["corrections"]
        self._corrections = {field: entry["schema"] for entry in corrections for field in entry["fields"]}

    def apply_document(self, document: Document) -> list[str]:
        """Applies a document. Returns a line per change."""
        changes = self._take_lists(document, parse_table(self._file_text(self._table)))
        after = parse_table(self._file_text(self._table))
        is_newest = document.version == after.versions[-1]
        for path, row in after.rows_of_version(document.version).items():
            if path in document.lists:
                changes += self._take_fields(document, path, row, is_newest=is_newest)
                # Older versions may lack what the row refers to.
                if is_newest:
                    changes += describe_differences(
                        path, row, document.record_fields(path), document.query_parameters(path)
                    )
        changes += [f"look at: the document refers to {it}, which it does not hold" for it in sorted(document.dangling)]
        return changes

    def write(self) -> None:
        """Writes the changes, the table last, so that the tap is unchanged until then.

        Raises:
            DocumentError: If they cannot be written.
        """
        files = sorted(self._new, key=lambda file: file == self._table)
        drafts = {file: file.with_name(f".{file.name}.new") for file in files}
        try:
            for file, draft in drafts.items():
                draft.write_text(self._new[file], "utf-8")
            for file, draft in drafts.items():
                draft.replace(file)
        except OSError:
            raise DocumentError(
                f"The schemas and the table in {self._package} cannot be written. Install the tap in a writable place."
            ) from None
        finally:
            for draft in drafts.values():
                with suppress(OSError):
                    draft.unlink(missing_ok=True)

    def _file_text(self, file: Path) -> str:
        """Returns the present or pending content of a file."""
        return self._new[file] if file in self._new else file.read_text("utf-8")

    def _take_lists(self, document: Document, table: Table) -> list[str]:
        versions = sorted({*table.versions, document.version})
        text = self._file_text(self._table)
        lines = tomlkit.parse(text).unwrap()["lists"]
        changes, new = [], {}
        has = {version: set(table.rows_of_version(version)) for version in table.versions}
        has[document.version] = set(document.lists)
        everything = sorted(set().union(*has.values()))
        for path in everything:
            module, name = path.split("/")
            old = lines.get(module, {}).get(name)
            row, unsure = (old, []) if old is not None else self._guess_row(document, path, everything)
            row = rows.add_version_span(row, [version for version in versions if path in has[version]], versions)
            if old is None:
                changes += [f"added: {path} = {rows.format_row(name, row).partition(' = ')[2]}", *unsure]
            if row != old:
                new[path] = row
            if old is not None and row.get("until") != old.get("until"):
                changes.append(f"removed: {path}, last seen in {row['until']}" if "until" in row else f"back: {path}")
        text = re.sub(r"(?m)^versions = .*$", f"versions = {json.dumps(versions)}", text)
        self._new[self._table] = rows.replace_rows(text, new)
        return changes

    @staticmethod
    def _guess_row(document: Document, path: str, lists: list[str]) -> tuple[Json, list[str]]:
        """Returns the row of a new list, and what a person should check."""
        fields = document.record_fields(path)
        row, unknown = rows.guess_row(
            path, fields, document.query_parameters(path), lists, pages=document.is_paginated(path)
        )
        unsure = [f"look at: {path} requires {parameter}, which is unknown" for parameter in unknown]
        if not fields:
            unsure.append(f"look at: the document does not say what a row of {path} holds")
        if row.get("key") == []:
            unsure.append(f"look at: {path} has no field that is its key by its name, and its row has none")
        return row, unsure

    def _take_fields(self, document: Document, path: str, row: Row, *, is_newest: bool) -> list[str]:
        file = self._schemas / f"{stream_name(path)}.json"
        is_there = file in self._new or file.exists()
        old: Json = json.loads(self._file_text(file))["properties"] if is_there else {}
        described = {name: schema for name, schema in document.record_fields(path).items() if not is_secret(name)}
        properties = dict(old)
        if not described:  # unknown fields keep their schema
            is_newest = False
            properties |= {
                name: _key_schema(field_schema(name, {}, document.resolve)) for name in row.key if name not in old
            }
        changes = []
        for name, schema in described.items():
            found = field_schema(name, schema, document.resolve)
            found = merge_schemas(old[name], found) if name in old else found
            found = self._corrections.get(f"{path}.{name}", found)
            if name in row.key:
                found = _key_schema(found)
            found = with_descriptions(found, old.get(name, {}))
            if old.get(name, {}).get("deprecated") and not is_newest:
                found["deprecated"] = True
            if old and found != old.get(name):
                changes.append(_describe_change(f"{path}.{name}", old.get(name), found))
            properties[name] = found
        own = row.added_columns
        if is_newest:
            for name in old.keys() - described.keys() - own.keys():
                if not old[name].get("deprecated"):
                    properties[name] = {**old[name], "deprecated": True}
                    changes.append(f"removed: {path}.{name}")
        for name, schema in own.items():
            properties.pop(name, None)  # they are last
            own_schema = _key_schema(schema) if name in row.key else schema
            properties[name] = with_descriptions(own_schema, old.get(name, {}))
        self._new[file] = _format_schema(properties)
        return changes


def _describe_change(field: str, old: Json | None, new: Json) -> str:
    if old is None:
        return f"added: {field}, {_format_type(new)}"
    if _format_type(new) != _format_type(old):
        return f"retyped: {field}, {_format_type(old)} to {_format_type(new)}"
    return f"described more closely: {field}"


def _key_schema(schema: Json) -> Json:
    return {**schema, "type": [kind for kind in schema.get("type", ["string"]) if kind != NULL]}


def _format_schema(properties: Json) -> str:
    """Returns a schema as JSON, one line per field, also if it is nested."""
    head = '  "$schema": "http://json-schema.org/draft-07/schema#",\n  "type": "object",'
    return f'{{\n{head}\n  "properties": {_format_fields(properties, "  ")}\n}}\n'


def _format_fields(properties: Json, margin: str) -> str:
    inner = f"{margin}  "
    lines = ",\n".join(
        f"{inner}{json.dumps(name)}: {_format_field(schema, inner)}" for name, schema in properties.items()
    )
    return f"{{\n{lines}\n{margin}}}"


def _format_field(schema: Json, margin: str) -> str:
    texts = {word: json.dumps(value) for word, value in schema.items()}
    if "items" in schema:
        texts["items"] = _format_field(schema["items"], margin)
    if "properties" in schema:
        texts["properties"] = _format_fields(schema["properties"], margin)
    return f"{{{', '.join(f'{json.dumps(word)}: {text}' for word, text in texts.items())}}}"


def _format_type(schema: Json) -> str:
    if "type" not in schema:
        return "any type"
    kinds = " or ".join(kind for kind in schema["type"] if kind != NULL)
    return f"{kinds} ({schema['format']})" if "format" in schema else kinds
