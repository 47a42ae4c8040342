"""The service documents and `$metadata`, and how they change with the portal."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hr_sandbox.cornerstone.tables import load_entity_sets
from hr_sandbox.http.arguments import ControlError

OBJECTS, VIEWS = "/services/api/x/dataexporter/api/objects", "/services/api/x/odata/api/views"
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


def read_metadata(api: Any, root: str) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Returns the types with their keys and columns, and the annotations by target."""
    answer = api.request(f"{root}/$metadata")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    document = ET.fromstring(answer.body)  # noqa: S314  written by the sandbox
    types = {
        row.attrib["Name"]: (
            [part.attrib["Name"] for part in row.iter(f"{EDM}PropertyRef")],
            {part.attrib["Name"]: part.attrib["Type"] for part in row.iter(f"{EDM}Property")},
        )
        for row in document.iter(f"{EDM}EntityType")
    }
    notes = {
        row.attrib["Target"]: {
            note.attrib["Term"].partition(".")[2]: note.attrib.get("String") or note.attrib["Bool"]
            for note in row.iter(f"{EDM}Annotation")
        }
        for row in document.iter(f"{EDM}Annotations")
    }
    return types, notes


def test_rows_have_the_documented_columns(cornerstone: Any) -> None:
    types = read_metadata(cornerstone, OBJECTS)[0] | read_metadata(cornerstone, VIEWS)[0]
    assert types.keys() == load_entity_sets().keys()
    for name, (key, columns) in types.items():
        assert tuple(key) == load_entity_sets()[name].key
        for row in cornerstone.vendor.list_records(name, None, None, "")[:3]:
            assert list(row) == list(columns)


def test_every_object_has_a_key_and_some_views_have_none(cornerstone: Any) -> None:
    assert all(key for key, _ in read_metadata(cornerstone, OBJECTS)[0].values())
    views = read_metadata(cornerstone, VIEWS)[0]
    assert views["vw_rpt_user"][0] == ["user_id"]
    assert views["vw_rpt_user_groups"][0] == []


def test_metadata_of_objects_has_annotations_and_that_of_views_has_none(cornerstone: Any) -> None:
    _, notes = read_metadata(cornerstone, OBJECTS)
    space = "Csod.DataExporter."
    assert notes[f"{space}user_ou_core"]["ObjectSupportsChangeTracking"] == "true"
    assert notes[f"{space}training_core"]["ObjectSupportsChangeTracking"] == "false"
    assert notes[f"{space}users_cf_core"]["ObjectIsUserDefined"] == "true"
    assert notes[f"{space}users_core/user_id"] == {
        "FieldIsFilteringAllowed": "true",
        "FieldOuroborosTypeDeclaration": "int",
    }
    assert notes[f"{space}users_core/user_email"] == {
        "FieldIsFilteringAllowed": "false",
        "FieldOuroborosTypeDeclaration": "nvarchar(128)?",
    }
    assert notes[f"{space}training_type_core/object_type"]["FieldOuroborosTypeDeclaration"] == "char(4)"
    assert not read_metadata(cornerstone, VIEWS)[1]


def test_a_custom_field_is_added_to_objects_views_and_metadata(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    before = api.request(f"{OBJECTS}/$metadata").body
    made = api.controls["custom-field"]({"kind": "user", "label": "Schuhgröße & <mehr>", "type": "number"})
    name, coded = made["columns"]["users_cf_core"], made["columns"]["vw_rpt_user_cf"]
    assert (name, coded) == (f"field_{made['id']}", f"user_custom_field_{made['id']:05}")
    assert api.request(f"{OBJECTS}/$metadata").body != before
    types, notes = read_metadata(api, OBJECTS)
    assert types["users_cf_core"][1][name] == "Edm.Decimal"
    assert notes[f"Csod.DataExporter.users_cf_core/{name}"]["FieldHeading"] == "Schuhgröße & <mehr>"
    assert name in api.rows("users_cf_core")[0]
    assert coded in api.rows("vw_rpt_user_cf")[0]
    person = next(iter(api.company.people)).id
    _, body = api.get(f"/services/api/x/users/v2/employees/{person}/customfields")
    assert body["data"][-1]["name"] == "Schuhgröße & <mehr>"
    with pytest.raises(ControlError, match="There is no kind"):
        api.controls["custom-field"]({"kind": "planet", "label": "x"})


def test_custom_types_of_units_have_columns_in_objects_and_views(cornerstone: Any) -> None:
    types = {row["type_id"]: row for row in cornerstone.rows("ou_type_core")}
    custom = {number for number, row in types.items() if row["is_custom"]}
    assert custom
    columns = read_metadata(cornerstone, OBJECTS)[0]["user_ou_pivoted_core"][1]
    assert {f"ou_type_{number}_ou_id" for number in types} <= columns.keys()
    assert {f"user_ou_{number}_id" for number in custom} <= read_metadata(cornerstone, VIEWS)[0]["vw_rpt_user"][
        1
    ].keys()


def test_columns_can_be_hidden(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    api.vendor.allow_attribute("users_core.user_email", allowed=False)
    assert "user_email" not in read_metadata(api, OBJECTS)[0]["users_core"][1]
    assert "user_email" not in api.rows("users_core")[0]
    assert api.get("users_core", {"$select": "user_email"})[0] == 400
    api.vendor.allow_attribute("users_core.user_email", allowed=True)
    assert "user_email" in api.rows("users_core")[0]
    for attribute in ("users_core.user_id", "users_core.nothing", "nothing.user_id"):
        with pytest.raises(ControlError):
            api.vendor.allow_attribute(attribute, allowed=False)


def test_a_matching_etag_gets_304_until_metadata_changes(make_cornerstone: Any) -> None:
    api = make_cornerstone()
    path = f"{OBJECTS}/$metadata"
    assert "etag" not in api.request(path).headers
    api.controls["etag"]({"on": True})
    tag = api.request(path).headers["etag"]
    again = api.request(path, if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    api.controls["custom-field"]({"kind": "ou", "label": "x"})
    changed = api.request(path, if_none_match=tag)
    assert (changed.status, changed.headers["etag"] != tag) == (200, True)
