"""Employee data that only v1 has: attributes, including custom ones, and absence balances."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import (
    ChangedSince,
    Offset,
    ParsedBody,
    PerParent,
    RecordPath,
    Reply,
    Request,
    is_reserved,
    make_coercer,
    times,
    value_at_path,
)
from singer_sdk import SchemaDirectory, StreamSchema
from typing_extensions import override

from tap_personio import schemas
from tap_personio.client import ZONE_UNKNOWN
from tap_personio.v1 import V1Stream
from tap_personio.values import make_normalizer, unwrap_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_rest import Record

TYPES: dict[str, dict[str, Any]] = {
    "integer": {"type": ["integer", "null"]},
    "decimal": {"type": ["number", "null"]},
    "date": {"type": ["string", "null"], "format": "date"},
    "tags": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
}
TEXT = {"type": ["string", "null"]}
"""The type of an attribute whose own type is standard, list, link, multiline or unknown."""


def _describe_attribute(label: Any) -> str:  # noqa: ANN401 - what the API sends
    named = f'with the label "{label}"' if isinstance(label, str) and label else "without a label"
    return f"Attribute {named}; see `employee_attributes`."


class AttributesSchema(StreamSchema[str]):
    """The shipped schema with a column for each custom attribute."""

    @override
    def get_stream_schema(self, stream: Any, stream_class: Any) -> Any:
        schema = super().get_stream_schema(stream, stream_class)
        if stream._tap.input_catalog is not None:  # noqa: SLF001 - there is no public access to a stream's tap
            return schema  # it has the columns already
        properties = schema["properties"]
        own = {
            key: {
                **TYPES.get(str(attribute.get("type")), TEXT),
                "description": _describe_attribute(attribute.get("label")),
            }
            for attribute in stream._tap.employee_attributes  # noqa: SLF001
            if isinstance(key := attribute.get("key"), str) and key not in properties and not is_reserved(key)
        }
        return {**schema, "properties": {**properties, **own}}


class Employees(V1Stream):
    """One row per employee, each attribute a column by its key."""

    schema: ClassVar[StreamSchema[str]] = AttributesSchema(SchemaDirectory(schemas))

    name = "employees"
    path = "/v1/company/employees"
    permission = "employees:read"
    primary_keys = ("id",)
    replication_key = "last_modified_at"
    changed_since = ChangedSince("updated_since", strict=True, format_timestamp=times.format_zoneless)
    lookback = ZONE_UNKNOWN
    pagination = Offset("offset", size=100)
    sample_size = 20
    hidden_columns = "absent"
    by_id = RecordPath("/v1/company/employees/{id}")
    discovery_permission = permission

    @override
    def column_label(self, name: str) -> str:
        labels = {attribute.get("key"): attribute.get("label") for attribute in self._tap.employee_attributes}
        is_custom = name.startswith("dynamic_") and labels.get(name)
        return f"{name} ({labels[name]})" if is_custom else name

    @override
    def unwrap_record(self, record: Record) -> Record:
        # Columns are named by the attributes' keys: admins rename and translate the labels.
        attributes = record.get("attributes")
        if not isinstance(attributes, dict):
            return super().unwrap_record(record)
        fields = {key: value for key, value in record.items() if key not in {"type", "attributes"}}
        currencies: dict[str, Any] = {}
        for key, attribute in attributes.items():
            if not isinstance(attribute, dict) or "value" not in attribute:
                fields[key] = attribute
                continue
            fields[key] = unwrap_value(attribute["value"])
            kind = str(attribute.get("type"))
            if key not in self._normalizers and kind in TYPES:  # it has no column whose type it gets
                fields[key] = make_coercer(TYPES[kind])(make_normalizer(TYPES[kind])(fields[key]))
            if attribute.get("currency"):
                currencies[key] = attribute["currency"]
        return {**fields, "currencies": currencies} if currencies else fields


class EmployeeAttributes(V1Stream):
    """One row per attribute of employees: what the columns `dynamic_N` mean."""

    name = "employee_attributes"
    path = "/v1/company/employees/attributes"
    permission = "employees:read"
    primary_keys = ("key",)


class AbsenceBalances(V1Stream):
    """One row per employee and type of absence: what is left today."""

    name = "absence_balances"
    path = "/v1/company/employees/{employee_id}/absences/balance"
    permission = "absences:read"
    primary_keys = ("employee_id", "id")
    slices = PerParent("employees", "employee_id")


def has_picture(person: Mapping[str, Any]) -> bool:
    """Whether a person has a picture."""
    return bool(value_at_path(person, "profile_picture.url"))


class ProfilePictures(V1Stream):
    """One row per person with a picture: where it is, its type, size and hash.

    Each request downloads the whole picture.
    """

    name = "profile_pictures"
    path = "/v1/company/employees/{person_id}/profile-picture"
    permission = "employees:read"
    primary_keys = ("person_id",)
    slices = PerParent("persons", "person_id", where=has_picture)
    optional = True  # one request per person, each of which returns the whole picture

    @override
    def decode(self, reply: Reply) -> Record:
        return {
            "content_type": reply.headers.get("Content-Type"),
            "size": len(reply.body),
            "sha256": hashlib.sha256(reply.body).hexdigest(),
        }

    @override
    def parse(self, body: Any, request: Request) -> ParsedBody:
        return ParsedBody([{"url": f"{self.transport.api_url}{request.path}", **body}])
