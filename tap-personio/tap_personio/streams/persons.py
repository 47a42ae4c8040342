"""People and their employments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_rest import ChangedSince, ListedInParent, PerParent
from typing_extensions import override

from tap_personio.client import ID_FILTER, PersonioStream

if TYPE_CHECKING:
    from singer_rest import Record


class Persons(PersonioStream):
    """One row per person."""

    name = "persons"
    path = "/v2/persons"
    permission = "personio:persons:read"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_at.gt", strict=True)
    page_size = 50
    free_names = ("custom_attributes", "custom_attribute_details")  # the company names them
    counted_by = ("employees",)
    sample_size = 20
    hidden_columns = "absent"
    by_id = ID_FILTER

    @override
    def post_process(self, row: Record, context: object = None) -> Record:
        # Admins rename and translate the labels, so values are keyed by id, with the other properties beside them.
        attributes = row.get("custom_attributes")
        if isinstance(attributes, list):
            values: Record = {}
            details: Record = {}
            unnamed = []
            for item in attributes:
                name = item.get("id") if isinstance(item, dict) else None
                if not isinstance(name, str) or name in values:
                    unnamed.append(item)
                    continue
                values[name] = item.get("value")
                details[name] = {key: value for key, value in item.items() if key not in {"id", "value"}}
            row |= {"custom_attributes": values, "custom_attribute_details": details}
            if unnamed:
                row["custom_attributes_without_id"] = unnamed
        return row


class Employments(PersonioStream):
    """One row per employment of a person.

    Employments change without their person, so an incremental run asks for those of every person.
    """

    name = "employments"
    path = "/v2/persons/{person_id}/employments"
    permission = "personio:persons:read"
    primary_keys = ("id",)
    replication_key = "updated_at"
    changed_since = ChangedSince("updated_at.gt", strict=True)
    # A changed employment does not update its person, so each run reads the employments of all persons.
    slices = PerParent("persons", "person_id")
    by_id = ListedInParent("persons", field="employments", param="id", column="person_id")
    page_size = 50
    sample_size = 20
    hidden_columns = "absent"
