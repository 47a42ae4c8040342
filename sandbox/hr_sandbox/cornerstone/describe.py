"""Generates the tables of both OData services from descriptions of their views and objects.

    python -m hr_sandbox.cornerstone.describe VIEWS

VIEWS is a JSON object by name: `api`, `columns` (OData types), `native_types`, `key`, `throttle_per_minute`,
`filterable_columns`. Only names, types and numbers are kept. Tables without public columns get invented ones, which
are newer_response under `ours`.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

Json = dict[str, Any]
TABLES = Path(__file__).parent / "described"
TOUCHED = "_last_touched_dt_utc"
DEFAULT_THROTTLE = 400
INT, TEXT, FLAG, GUID, TIMESTAMP = "Edm.Int32", "Edm.String", "Edm.Boolean", "Edm.Guid", "Edm.DateTimeOffset"
DECIMAL = "Edm.Decimal"
# Database types -> types in the service's own declarations.
NATIVE = {
    "bigint": "bigint",
    "bit": "bit",
    "boolean": "bit",
    "byte": "byte",
    "datetime": "datetime(3)",
    "datetime2": "datetime(7)",
    "hierarchyid": "nvarchar(892)",
    "int": "int",
    "integer": "int",
    "money": "decimal(19,4)",
    "smalldatetime": "datetime(0)",
    "timestamp with time zone": "datetime(7)",
    "tinyint": "byte",
    "uniqueidentifier": "uuid",
    "uuid": "uuid",
    "guid": "uuid",
}
SIZED = re.compile(r"(nvarchar|varchar|char|decimal|numeric|datetime|character varying)\(([\d,]+)\)")
DEFAULT_NATIVE = {
    INT: "int",
    TEXT: "nvarchar(250)",
    FLAG: "bit",
    GUID: "uuid",
    TIMESTAMP: "datetime(3)",
    DECIMAL: "decimal(9,2)",
    "Edm.Int64": "bigint",
    "Edm.Byte": "byte",
    "Edm.Double": "float",
}
BY_NAME = ((r".*object_id", GUID), (r".*(_id|_num)", INT), (r".*_dt", TIMESTAMP), (r"is_.*", FLAG))
# The keys of objects whose key is not public.
KEYS = {
    "subject_training_core": ["object_id", "subject_id"],
    "training_equivalency_core": ["object_id", "equivalent_object_id"],
    "training_model_core": ["model_id"],
    "training_model_training_object_core": ["model_id", "proxy_id"],
    "training_part_attendance_core": ["part_id", "user_id"],
    "training_provider_core": ["provider_id"],
    "transcript_assignment_core": ["user_id", "object_id", "reg_num", "assignment_id"],
    "transcript_delivery_method_local_core": ["delivery_method_id", "culture_id"],
    "transcript_status_local_core": ["status_id", "culture_id"],
}
# Invented columns for company data in tables whose columns are not public.
PERSON = {"user_ref": TEXT, "user_login": TEXT, "user_name_first": TEXT, "user_name_last": TEXT, "user_email": TEXT}
SALE = {"user_id": INT, "object_id": GUID, "amount": DECIMAL, "currency_code": TEXT, "is_refund": FLAG}
INVENTED_COLUMNS: dict[str, tuple[dict[str, str], list[str]]] = {
    "culture_core": ({"culture_id": INT, "culture_name": TEXT, "title": TEXT}, ["culture_id"]),
    "ou_local_core": (
        {"ou_id": INT, "culture_id": INT, "title": TEXT, "description": TEXT, "is_default": FLAG},
        ["ou_id", "culture_id"],
    ),
    "ou_type_core": ({"type_id": INT, "title": TEXT, "is_custom": FLAG}, ["type_id"]),
    "ou_type_local_core": (
        {"type_id": INT, "culture_id": INT, "title": TEXT, "is_default": FLAG},
        ["type_id", "culture_id"],
    ),
    "training_ilt_session_core": (
        {"object_id": GUID, "event_object_id": GUID, "start_dt": TIMESTAMP, "end_dt": TIMESTAMP},
        ["object_id"],
    ),
    "training_part_attendance_core": ({"part_id": INT}, []),
    "training_purchase_core": ({"purchase_id": INT, "purchase_dt": TIMESTAMP, **SALE}, ["purchase_id"]),
    "user_ou_pivoted_core": ({"user_id": INT}, ["user_id"]),
    "vw_rpt_applicant": ({"applicant_status": TEXT, "applicant_email": TEXT, "applied_dt": TIMESTAMP}, []),
    "vw_rpt_culture": ({"culture_id": INT, "culture_name": TEXT}, []),
    "vw_rpt_ou_cf": ({"ou_id": INT}, []),
    "vw_rpt_ou_cf2": ({"ou_id": INT}, []),
    "vw_rpt_ou_type": ({"type_id": INT, "title": TEXT}, []),
    "vw_rpt_recruiting": ({"ats_req_title": TEXT, "ats_req_create_dt": TIMESTAMP}, []),
    "vw_rpt_transaction": ({"transaction_id": INT, "transaction_dt": TIMESTAMP, **SALE}, []),
    "vw_rpt_user_base": ({"user_id": INT, "user_status_id": INT, **PERSON}, ["user_id"]),
    "vw_rpt_user_groups": ({"user_id": INT}, []),
    "vw_rpt_user_ou_info": ({"user_id": INT}, []),
}
# Columns with the type "number" that contain titles.
TITLES = re.compile(r"user_(div|pos|grade|center|location|ou_\d+)(_parent|_parent_title)?|.*mailstop|.*_status")


def _type(name: str, type_: str, declared: str) -> str:
    if name == TOUCHED:
        return TIMESTAMP
    if declared == "nvarchar":  # a type without a length is a guess
        return next((kind for pattern, kind in BY_NAME if re.fullmatch(pattern, name)), type_)
    if type_ != "number":
        return type_
    if TITLES.fullmatch(name):
        return TEXT
    return INT if re.search(r"_id\d*$", name) else DECIMAL


def _native(type_: str, declared: str) -> str:
    """Return the service's own declaration of a type, without the mark for nullable ones."""
    text = declared.partition(" (from")[0].removesuffix("?")
    if text in NATIVE:
        return NATIVE[text]
    sized = SIZED.fullmatch(text)
    if sized is None:
        return DEFAULT_NATIVE[type_]
    return f"{sized[1].replace('character varying', 'nvarchar').replace('numeric', 'decimal')}({sized[2]})"


def _made_up(name: str, *, core: bool) -> tuple[dict[str, str], list[str]]:
    """Return columns and key for a table without public columns."""
    base = re.sub(r"^vw_(rpt_)?|_core$", "", name)
    local = re.search(r"_local2?$", base) is not None
    base = re.sub(r"_local2?$", "", base)
    key = f"{base}_id"
    if "_cf_enum" in base:
        columns = {"field_id": INT, "value_id": INT, "culture_id": INT, "title": TEXT, "is_default": FLAG}
        return columns, ["field_id", "value_id", "culture_id"]
    if local:
        title = "title" if core else f"{base}_title"
        return {key: INT, "culture_id": INT, title: TEXT, "is_default": FLAG}, [key, "culture_id"] if core else []
    columns = {key: INT}
    if base.startswith(("training", "lo_", "transcript")):
        columns["object_id"] = GUID
    if base.startswith(("user", "transcript", "scorm", "assessment", "performance", "goal", "compensation")):
        columns["user_id"] = INT
    prefix = "" if core else f"{base}_"
    columns |= {f"{prefix}title": TEXT, f"{prefix}active": FLAG, f"{prefix}create_dt": TIMESTAMP}
    return columns, [key] if core else []


def describe(views: Json) -> dict[str, dict[str, Json]]:
    """Return the tables by service and name."""
    tables: dict[str, dict[str, Json]] = {"reporting": {}, "dataexporter": {}}
    for name, view in sorted(views.items()):
        core = view["api"] == "dataexporter"
        declared = {column: text or "" for column, text in view.get("native_types", {}).items()}
        public = {column: _type(column, type_, declared.get(column, "")) for column, type_ in view["columns"].items()}
        ours, our_key = INVENTED_COLUMNS.get(name, ({}, []))
        if not public and not ours:
            ours, our_key = _made_up(name, core=core)
        columns = {**public, **{column: type_ for column, type_ in ours.items() if column not in public}}
        if core:
            columns.setdefault(TOUCHED, TIMESTAMP)
        row: Json = {"key": view["key"] or KEYS.get(name) or our_key}
        if view.get("throttle_per_minute", DEFAULT_THROTTLE) != DEFAULT_THROTTLE and view.get("throttle_per_minute"):
            row["throttle"] = view["throttle_per_minute"]
        if indexed := view.get("filterable_columns"):
            row["indexed"] = indexed
        if invented := [column for column in columns if column not in public and column != TOUCHED]:
            row["ours"] = invented
        row["columns"] = {
            column: [
                type_,
                "datetime(7)" if column == TOUCHED else _native(type_, declared.get(column, "")),
            ]
            for column, type_ in columns.items()
        }
        tables[view["api"]][name] = row
    return tables


def write(tables: dict[str, dict[str, Json]], folder: Path = TABLES) -> None:
    """Write one file per service, with one line per column."""
    for service, rows in tables.items():
        parts = []
        for name, row in rows.items():
            rest = [f' "{key}": {json.dumps(value)}' for key, value in row.items() if key != "columns"]
            columns = ",\n".join(f'  "{column}": {json.dumps(types)}' for column, types in row["columns"].items())
            parts.append(f'"{name}": {{\n' + ",\n".join([*rest, f' "columns": {{\n{columns}\n }}']) + "\n}")
        (folder / f"{service}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("views", type=Path)
    write(describe(json.loads(parser.parse_args().views.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
