"""Organizational units and their types, without groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.errors import JSON_TYPE
from hr_sandbox.cornerstone.portal import GROUP, UNIT_TYPES
from hr_sandbox.cornerstone.rest.route import Context, Route, newer_response, token_page
from hr_sandbox.cornerstone.rows.units import units
from hr_sandbox.http.messages import json_response
from hr_sandbox.stable_random import stable_chance, stable_number

if TYPE_CHECKING:
    from datetime import date

    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json, Response

ROOT, RATE, SPECIFICATION_RATE, SIZE = "/services/api/x/organizations/v1", 300, 5, 100
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
    size, given = call.number("pageSize", SIZE, SIZE), call.given
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


def _find(rows: list[Json], text: str, call: Call) -> Json:
    for row in rows:
        if str(row["id"]) == text:
            return row
    raise call.not_found()


def _one(context: Context, call: Call) -> Response:
    return json_response(_find(all_units(context), call.parts["ouId"], call), media_type=JSON_TYPE)


def names(row: Json) -> list[Json]:
    """Return the names of a unit in the languages that it was translated to."""
    many = stable_number("languages", row["id"]) % (len(LANGUAGES) + 1)
    return [
        {"ouId": row["id"], "language": language, "name": f"{row['name']} ({language})", "description": None}
        for language in LANGUAGES[:many]
    ]


def _names(context: Context, call: Call) -> Response:
    return newer_response(context, names(_find(all_units(context), call.parts["ouId"], call)))


def _types(context: Context, _call: Call) -> Response:
    return newer_response(context, TYPES)


def _type(_context: Context, call: Call) -> Response:
    return json_response(_find(TYPES, call.parts["id"], call), media_type=JSON_TYPE)


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
    Route(f"{ROOT}/types", "ou_types", TYPE_SCOPE, _types, per_minute=RATE),
    Route(f"{ROOT}/types/{{id}}", "ou_types", TYPE_SCOPE, _type, per_minute=RATE),
    Route(f"{ROOT}/specifications", "ou_specifications", SCOPE, _specification, per_minute=SPECIFICATION_RATE),
)


def _units(context: Context, _first: date, _last: date) -> list[Json]:
    return all_units(context)


def _all_names(context: Context, _first: date, _last: date) -> list[Json]:
    return [name for row in all_units(context) for name in names(row)]


def _all_types(_context: Context, _first: date, _last: date) -> list[Json]:
    return list(TYPES)


STREAMS = {"organizational_units": _units, "ou_types": _all_types, "ou_localizations": _all_names}
