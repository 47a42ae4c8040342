"""The dossier as a data contract, in the format of the Open Data Contract Standard, version 3.1."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from singer_rest.dossier.inventory import walk_schema
from singer_rest.privacy.classes import lookup_class
from singer_rest.privacy.profiles import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_rest.dossier.answers import Answers
    from singer_rest.dossier.inventory import Column, Inventory, Table

API_VERSION = "v3.1.0"
VENDOR = "hr-taps"
DPV = "https://w3id.org/dpv/2.0/pd#"
DPV_TERMS = {
    "secret": "Authenticating",
    "special.absence": "MedicalHealth",
    "special.health": "MedicalHealth",
    "special.belief": "Religion",
    "special.origin": "EthnicOrigin",
    "national_id": "OfficialID",
    "bank": "BankAccount",
    "pay": "Salary",
    "evaluation": "ProfessionalEvaluation",
    "file": "PersonalDocuments",
    "free_text": "Communication",
    "demographic": "Demographic",
    "demographic.birth": "BirthDate",
    "demographic.gender": "Gender",
    "demographic.family": "Family",
    "demographic.nationality": "Nationality",
    "direct_id": "Identifying",
    "direct_id.id": "Identifier",
    "direct_id.email": "EmailAddressWork",
    "direct_id.number": "Identifier",
    "direct_id.name": "Name",
    "contact": "Contact",
    "contact.postcode": "PostalCode",
    "contact.country": "Country",
    "conduct": "Behavioral",
    "conduct.place": "Location",
    "conduct.login": "AuthenticationHistory",
    "personal": "CurrentEmployment",
    "personal.title": "Job",
}
"""The terms of the Data Privacy Vocabulary for the personal data of each class."""
LOGICAL_TYPES = ("string", "integer", "number", "boolean", "object", "array")
FORMATS = {"date": "date", "date-time": "timestamp", "time": "time"}
TEAM = {
    "controller": "controller",
    "data_protection_officer": "data protection officer",
    "works_council": "works council",
}
MONTHS = "months"
DROP = "drop"
PERSON = "person:"
REFERENCE = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)+", re.ASCII)
"""Names of columns to which the standard can refer."""
Json = dict[str, Any]


def make_contract(inventory: Inventory, answers: Answers) -> Json:
    """Returns the dossier as a data contract.

    Args:
        inventory: What would be loaded.
        answers: The answers that people gave.
    """
    tap, profile = inventory.tap, inventory.tap.privacy.profile
    homes = _find_homes(inventory)
    description = {
        "purpose": answers.text("purpose"),
        "limitations": answers.text("excluded_uses"),
        "usage": answers.text("need"),
    }
    others = {
        "tap": tap.name,
        "tapVersion": tap.plugin_version,
        "profile": profile.name,
        "fingerprint": profile.fingerprint,
        "columnsDefinedByCompany": "decided at run time" if inventory.is_offline else "included",
        "streamMaps": fingerprint_maps(stream_maps_of(inventory)),
        "minGroup": answers.text("smallest_group"),
        "basis": answers.text("legal_basis"),
        "subjects": answers.text("subjects"),
        "recipients": answers.text("recipients"),
        "thirdCountries": answers.text("third_countries"),
        "impactAssessment": answers.text("impact_assessment"),
        "permissions": unique(permission.name for permission in inventory.permissions),
        "modules": unique(permission.module for permission in inventory.permissions),
        "notLoaded": [{"stream": one.name, "reason": one.reason} for one in inventory.left_out],
    }
    found: Json = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"{VENDOR}-{tap.name}",
        "name": f"Data loaded from {inventory.vendor}",
        "version": answers.text("version") or "1.0.0",
        "status": answers.text("status") or "draft",
        "description": _without_empty(description),
        "authoritativeDefinitions": _agreement_links(answers),
        "team": {"members": members} if (members := _team_members(answers)) else {},
        "roles": [
            _without_empty({"role": name, "access": "read", "description": text})
            for name, text in answers.items("readers")
        ],
        "servers": _list_servers(inventory, answers),
        "slaProperties": _list_retention(answers),
        "customProperties": _custom(others),
        "schema": [_describe_table(table, homes) for table in inventory.tables],
    }
    return _without_empty(found)


def to_yaml(contract: Json) -> str:
    """Returns a contract as YAML."""
    import yaml  # noqa: PLC0415 - few runs need it

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(contract, Dumper=dumper, sort_keys=False, allow_unicode=True, width=10_000))


def find_custom(part: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - what a contract holds
    """Returns a custom property. None: there is none."""
    return next((one["value"] for one in part.get("customProperties") or () if one["property"] == name), None)


def stream_maps_of(inventory: Inventory) -> Mapping[str, Any]:
    """Returns the stream maps of the settings, which change records after the profile."""
    found = inventory.tap.config.get("stream_maps")
    return found if isinstance(found, dict) else {}


def fingerprint_maps(maps: Mapping[str, Any]) -> str:
    """Returns a text that differs between stream maps. Empty: there are none."""
    return hashlib.sha256(json.dumps(maps, sort_keys=True).encode()).hexdigest()[:16] if maps else ""


def _describe_table(table: Table, homes: Mapping[str, str]) -> Json:
    others = {
        "permission": table.permission or "",
        "columnsDefinedByCompany": table.is_defined_by_company or "",
        "notLoaded": [
            {"path": column.path, "classification": column.protection.name, "reason": column.reason}
            for column in table.left_out
        ],
        "rows": [
            {
                "path": rows.path,
                "classification": rows.rule.name,
                "transformLogic": "keep" if rows.is_loaded else DROP,
            }
            for rows in table.row_groups
        ],
    }
    return _without_empty(
        {
            "name": table.name,
            "physicalName": table.name,
            "physicalType": "table",
            "logicalType": "object",
            "description": table.notes,
            "dataGranularityDescription": table.row and f"One row per {table.row}",
            "properties": _list_properties(table, homes),
            "customProperties": _custom(others),
        }
    )


def _list_properties(table: Table, homes: Mapping[str, str]) -> list[Json]:
    """Returns the loaded columns as properties, with nested fields in the objects and lists that hold them."""
    parts = dict(walk_schema(table.schema))
    root: list[Json] = []
    containers: dict[str, list[Json]] = {"": root}

    def fields_of(path: str) -> list[Json]:
        """Returns the list of the properties of an object, which is created with those around it."""
        if path not in containers:
            outer, _, name = path.rpartition(".")
            depth = (len(name) - len(name.rstrip("[]"))) // 2
            fields: list[Json] = []
            found: Json = {"logicalType": "object", "properties": fields}
            for _ in range(depth):
                found = {"logicalType": "array", "items": found}
            plain = name[: len(name) - 2 * depth]
            inner = f"{outer}.{plain}" if outer else plain
            about = _without_empty({"description": parts.get(inner, {}).get("description")})
            fields_of(outer).append({"name": plain, **about, **found})
            containers[path] = fields
        return containers[path]

    for column in table.loaded:
        outer, _, name = column.path.rpartition(".")
        fields_of(outer).append(_describe_column(table, column, name, homes))
    return root


def _describe_column(table: Table, column: Column, name: str, homes: Mapping[str, str]) -> Json:
    term = lookup_class(column.protection.name, DPV_TERMS)
    types = _list_types(column.schema)
    position = table.keys.index(column.path) + 1 if column.is_key else None
    home = _find_home(table, column, homes)
    return _without_empty(
        {
            "name": name,
            "logicalType": _logical_type(column),
            "description": column.description,
            "primaryKey": column.is_key or None,
            "primaryKeyPosition": position,
            "required": (bool(types) and "null" not in types) or None,
            "classification": column.protection.name,
            "transformLogic": column.action,
            "transformDescription": f"The value {ACTIONS[column.action]}.",
            "tags": [f"{PERSON}{column.subjects}"] if column.subjects else [],
            "authoritativeDefinitions": [{"type": "dpv", "url": f"{DPV}{term}"}] if term else [],
            "relationships": [{"type": "foreignKey", "to": home}] if home else [],
            "customProperties": _custom({"refersToWhen": column.refers_to.get("when")}),
        }
    )


def _logical_type(column: Column) -> str:
    """Returns the type of a column. A field that the schema does not list is a text, as far as is known."""
    types = _list_types(column.schema)
    if column.action == "pseudonym" and "array" not in types:
        return "string"
    named = FORMATS.get(str(column.schema.get("format")))
    return named if named and "string" in types else next((name for name in LOGICAL_TYPES if name in types), "string")


def _list_types(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("type") or []
    return [found] if isinstance(found, str) else list(found)


def _find_homes(inventory: Inventory) -> dict[str, str]:
    """Returns the first loaded table whose key are the ids of a kind of people, with its key, by kind.

    The keys of other tables are there by the table's name.
    """
    found: dict[str, str] = {}
    for table in inventory.tables:
        for column in table.loaded:
            if table.keys == (column.path,):
                found[table.name] = f"{table.name}.{column.path}"
                if column.refers_to.get("form") == "id":
                    found.setdefault(f"{PERSON}{column.subjects}", found[table.name])
    return found


def _find_home(table: Table, column: Column, homes: Mapping[str, str]) -> str | None:
    """Returns the column whose values a column repeats. None: it is not known, or it is the column itself."""
    refers = column.refers_to
    if refers.get("form") not in {"id", "row"}:
        return None
    found = homes.get(str(refers["stream"]) if "stream" in refers else f"{PERSON}{column.subjects}")
    return found if found and REFERENCE.fullmatch(found) and found != f"{table.name}.{column.path}" else None


def _team_members(answers: Answers) -> list[Json]:
    return [
        _without_empty({"username": name, "role": role, "description": text})
        for key, role in TEAM.items()
        for name, text in answers.items(key)
    ]


def _list_servers(inventory: Inventory, answers: Answers) -> list[Json]:
    """Returns where the data comes from and, if the answers say so, where it goes."""
    found: list[Json] = [
        {"server": f"source-{number}", "type": "api", "location": address, "description": "Read from here."}
        for number, address in enumerate(inventory.addresses, 1)
    ]
    found += [
        _without_empty({"server": name, "type": "custom", "description": text})
        for name, text in answers.items("destination")
    ]
    return found


def _list_retention(answers: Answers) -> list[Json]:
    return [
        {"property": "retention", "value": int(text), "unit": MONTHS, "element": name}
        if text.isdigit()
        else _without_empty({"property": "retention", "value": text or name, "element": name if text else ""})
        for name, text in answers.items("retention")
    ]


def _agreement_links(answers: Answers) -> list[Json]:
    return [
        _without_empty({"type": "agreement", "url": text or name, "description": name if text else ""})
        for name, text in answers.items("agreement")
    ]


def unique(names: Iterable[str]) -> list[str]:
    """Returns the names that are not empty, each once, in order."""
    return [name for name in dict.fromkeys(names) if name]


def _custom(values: Mapping[str, Any]) -> list[Json]:
    return [{"property": name, "value": value} for name, value in values.items() if value]


def _without_empty(values: Json) -> Json:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
