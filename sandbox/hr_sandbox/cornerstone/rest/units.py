"""Organizational units and their types, without groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import JSON_TYPE
from hr_sandbox.cornerstone.portal import GROUP, UNIT_TYPES
from hr_sandbox.cornerstone.rest.route import Context, Route, Streams, newer_response, token_page
from hr_sandbox.cornerstone.rows.units import units
from hr_sandbox.http.messages import json_response
from hr_sandbox.stable_random import stable_chance, stable_number

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json, Response

ROOT, RATE, SPECIFICATION_RATE, PAGE_SIZE = "/services/api/x/organizations/v1", 300, 5, 100
SCOPE, TYPE_SCOPE = "ou:read", "outype:read"
LANGUAGES = ("en-US", "de-DE", "ja-JP")
TYPES: list[Json] = [
    {"id": row.id, "name": row.title, "isCustom": row.custom, "active": True} for row in UNIT_TYPES if row.id != GROUP
]


def all_units(context: Context) -> list[Json]:
    """Return all units except the vendor's own."""
    found = [
        {
            "id": row["ou_id"],
            "active": row["active"],
            "name": row["title"],
            "externalId": row["ref"] or f"OU{row['ou_id']}",
            "typeId": row["type_id"],
            "parentId": row["parent_id"],
            "reconcilable": stable_chance(60, "reconcilable", row["ou_id"]),
            "description": "" if stable_number("described", row["ou_id"]) % 2 else None,
            "customFields": [
                {
                    "id": field.id,
                    "name": field.label,
                    "value": str(stable_number("value", field.id, row["ou_id"]) % 90),
                }
                for field in context.store.portal.fields
                if field.kind == "ou"
            ],
        }
        for row in units(context.snapshot)
        if row["type_id"] != GROUP and row["ou_id"] > 0
    ]
    return sorted(found, key=lambda row: int(row["id"]))


def _list(context: Context, call: Call) -> Response:
    size, given = call.number("pageSize", PAGE_SIZE, PAGE_SIZE), call.given
    rows = all_units(context)
    inactive = given.get("includeInactive", "false").lower()
    if inactive not in {"true", "false"}:
        raise call.bad_request("includeInactive", "must be true or false")
    if inactive == "false":
        rows = [row for row in rows if row["active"]]
    if "typeId" in given:
        if given["typeId"] not in {str(row["id"]) for row in TYPES}:
            raise call.bad_request("typeId", "must be the id of a type")
        rows = [row for row in rows if str(row["typeId"]) == given["typeId"]]
    if "externalId" in given:
        rows = [row for row in rows if row["externalId"] == given["externalId"]]
    return token_page(context, call, rows, size, "nextPageToken")


def _one(context: Context, call: Call) -> Response:
    return json_response(call.find(all_units(context), "ouId"), media_type=JSON_TYPE)


def names(row: Json) -> list[Json]:
    """Return the names of a unit in the languages that it was translated to."""
    many = stable_number("languages", row["id"]) % (len(LANGUAGES) + 1)
    return [
        {"ouId": row["id"], "language": language, "name": f"{row['name']} ({language})", "description": None}
        for language in LANGUAGES[:many]
    ]


def _names(context: Context, call: Call) -> Response:
    return newer_response(context, names(call.find(all_units(context), "ouId")))


def _specification(_context: Context, _call: Call) -> Response:
    body = {"fields": [{"name": name, "required": name in {"name", "typeId"}} for name in ("name", "typeId")]}
    return json_response(body, media_type=JSON_TYPE)


FILTERS = ("typeId", "externalId", "includeInactive")
ROUTES = (
    Route(
        f"{ROOT}/ous", "organizational_units", SCOPE, _list, ("pageSize", "nextPageToken", *FILTERS), per_minute=RATE
    ),
    Route(f"{ROOT}/ous/{{ouId}}", "organizational_units", SCOPE, _one, per_minute=RATE),
    Route(f"{ROOT}/ous/{{ouId}}/localizations", "ou_localizations", SCOPE, _names, per_minute=RATE),
    Route(f"{ROOT}/types", "ou_types", TYPE_SCOPE, lambda context, _: newer_response(context, TYPES), per_minute=RATE),
    Route(
        f"{ROOT}/types/{{id}}",
        "ou_types",
        TYPE_SCOPE,
        lambda _, call: json_response(call.find(TYPES, "id"), media_type=JSON_TYPE),
        per_minute=RATE,
    ),
    Route(f"{ROOT}/specifications", "ou_specifications", SCOPE, _specification, per_minute=SPECIFICATION_RATE),
)
STREAMS: Streams = {
    "organizational_units": lambda context, *_: all_units(context),
    "ou_types": lambda *_: TYPES,
    "ou_localizations": lambda context, *_: [name for row in all_units(context) for name in names(row)],
}
