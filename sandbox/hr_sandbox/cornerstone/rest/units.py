"""Organizational units and their types, except groups."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hr_sandbox.cornerstone.portal import GROUP, UNIT_TYPES
from hr_sandbox.cornerstone.rest.route import Context, Route, Streams, make_token_page
from hr_sandbox.cornerstone.rows.people import list_units
from hr_sandbox.stable_random import stable_chance, stable_number

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.rest.route import Call
    from hr_sandbox.http.messages import Json, Response

ROOT, RATE, SPECIFICATION_RATE, PAGE_SIZE = "/services/api/x/organizations/v1", 300, 5, 100
SCOPE, TYPE_SCOPE = "ou:read", "outype:read"
LANGUAGES = ("en-US", "de-DE", "ja-JP")
TYPES: list[Json] = [
    {"id": row.id, "name": row.title, "isCustom": row.is_custom, "active": True}
    for row in UNIT_TYPES
    if row.id != GROUP
]


def render_units(context: Context) -> list[Json]:
    """Returns all units except the vendor's own."""
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
        for row in list_units(context.snapshot)
        if row["type_id"] != GROUP and row["ou_id"] > 0
    ]
    return sorted(found, key=lambda row: int(row["id"]))


def _list_units(call: Call) -> Response:
    size, given = call.parse_number("pageSize", PAGE_SIZE, PAGE_SIZE), call.given
    rows = render_units(call.context)
    inactive = given.get("includeInactive", "false").lower()
    if inactive not in {"true", "false"}:
        raise call.make_bad_request("includeInactive", "must be true or false")
    if inactive == "false":
        rows = [row for row in rows if row["active"]]
    if "typeId" in given:
        if given["typeId"] not in {str(row["id"]) for row in TYPES}:
            raise call.make_bad_request("typeId", "must be the id of a type")
        rows = [row for row in rows if str(row["typeId"]) == given["typeId"]]
    if "externalId" in given:
        rows = [row for row in rows if row["externalId"] == given["externalId"]]
    return make_token_page(call, rows, size)


def render_names(row: Json) -> list[Json]:
    """Returns the names of a unit in the languages that it was translated to."""
    many = stable_number("languages", row["id"]) % (len(LANGUAGES) + 1)
    return [
        {"ouId": row["id"], "language": language, "name": f"{row['name']} ({language})", "description": None}
        for language in LANGUAGES[:many]
    ]


def _find_unit(call: Call) -> Json:
    return call.find_row(render_units(call.context), "ouId")


SPECIFICATION: Json = {"fields": [{"name": name, "required": True} for name in ("name", "typeId")]}
FILTERS = ("typeId", "externalId", "includeInactive")
_declare = partial(Route, per_minute=RATE)
ROUTES = (
    _declare(f"{ROOT}/ous", "organizational_units", SCOPE, _list_units, ("pageSize", "nextPageToken", *FILTERS)),
    _declare(f"{ROOT}/ous/{{ouId}}", "organizational_units", SCOPE, _find_unit),
    _declare(
        f"{ROOT}/ous/{{ouId}}/localizations", "ou_localizations", SCOPE, lambda call: render_names(_find_unit(call))
    ),
    _declare(f"{ROOT}/types", "ou_types", TYPE_SCOPE, lambda _: TYPES),
    _declare(f"{ROOT}/types/{{id}}", "ou_types", TYPE_SCOPE, lambda call: call.find_row(TYPES)),
    Route(f"{ROOT}/specifications", "ou_specifications", SCOPE, lambda _: SPECIFICATION, per_minute=SPECIFICATION_RATE),
)
STREAMS: Streams = {
    "organizational_units": lambda context, *_: render_units(context),
    "ou_types": lambda *_: TYPES,
    "ou_localizations": lambda context, *_: [name for row in render_units(context) for name in render_names(row)],
}
