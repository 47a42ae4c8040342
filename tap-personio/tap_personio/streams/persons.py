"""People and their employments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_rest import ChangedSince, Children
from typing_extensions import override

from tap_personio.client import PersonioStream

if TYPE_CHECKING:
    from singer_rest.pages import Record


class Persons(PersonioStream):
    """One row per person. Right: personio:persons:read."""

    name = "persons"
    path = "/v2/persons"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_at.gt", strict=True)
    page_size = 50

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        # Admins rename and translate the labels, so the values stand by id.
        attributes = row.get("custom_attributes")
        if isinstance(attributes, list) and all(isinstance(item, dict) and "id" in item for item in attributes):
            row["custom_attributes"] = {item["id"]: item.get("value") for item in attributes}
        return row


class Employments(PersonioStream):
    """One row per employment of a person. Right: personio:persons:read."""

    name = "employments"
    path = "/v2/persons/{person_id}/employments"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_at.gt", strict=True)
    # A changed employment does not show on its person, so each run walks all persons.
    slices = Children("persons", "person_id")
    page_size = 50
