"""Test helpers: the records that the portal's rows should become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest.testing import canonical_value

from tap_cornerstone.tap import TOUCHED, TapCornerstone

if TYPE_CHECKING:
    from collections.abc import Sequence


BY_DEFAULT = set(TapCornerstone(validate_config=False).streams)
"""Streams that no setting has to enable."""


def key_of(key: Sequence[str], record: dict[str, Any]) -> tuple[str, ...]:
    """Returns the key of a record, from the tap or from the loader. Without a key, the whole record.

    Args:
        key: The stream's primary key.
        record: The record.
    """
    names = key or sorted(name for name in record if not name.startswith("_sdc") and name != "_extra")
    return tuple(str(canonical_value(record.get(name))) for name in names)


def expected_rows(stream: str, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Converts bodies of the REST families to rows; others are unchanged.

    Values from the URL become columns, and so do those that the tap adds.

    Args:
        stream: Name of the stream.
        bodies: The bodies as sent, with values from their URLs under names with an underscore.
    """
    rows = [{_column_name(name): value for name, value in body.items()} for body in bodies]
    for row in rows:
        if stream == "employee_custom_fields" and isinstance(row["value"], list):
            row["choices"], row["value"] = row["value"], None
        if stream == "job_requisitions":
            row["RangeLow"] = row["RangeLow"] or None
        if stream == "transcripts":
            row["RegistrationNumber"] = 1
        if stream == "employee_skills":
            row |= {"employee_id": row["employeeId"], "skill_id": row["skillId"]}
    if stream == "bulk_import_reports":
        known = {"import_id", "row_number"}
        return [
            {
                **{name: row[name] for name in known},
                "kind": "report",
                "cells": {name: value for name, value in row.items() if name not in known},
            }
            for row in rows
        ]
    return rows


def _column_name(name: str) -> str:
    return name if name == TOUCHED else name.removeprefix("_")
