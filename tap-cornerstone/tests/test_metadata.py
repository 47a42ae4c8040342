"""From a service's description to streams."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tap_cornerstone.odata.metadata import Column, EntitySet, MetadataError, parse
from tap_cornerstone.odata.services import load_shipped
from tap_cornerstone.odata.types import schema_of

if TYPE_CHECKING:
    from pathlib import Path

EDMX = """<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Csod" xmlns="http://docs.oasis-open.org/odata/ns/edm">%s</Schema>
</edmx:DataServices></edmx:Edmx>"""

OBJECT = """
<EntityType Name="base">
  <Key><PropertyRef Name="id"/></Key>
  <Property Name="id" Type="Edm.Int32" Nullable="false"/>
</EntityType>
<EntityType Name="thing" BaseType="Csod.base">
  <Property Name="price" Type="Edm.Decimal" Precision="9" Scale="2"/>
  <Property Name="code" Type="Edm.String" MaxLength="4">
    <Annotation Term="ExtendedMetadata.FieldIsFilteringAllowed" Bool="false"/>
  </Property>
  <Property Name="tags" Type="Collection(Edm.String)"/>
  <Property Name="place" Type="Csod.Place"/>
  {inside}
</EntityType>
<EntityContainer Name="All"><EntitySet Name="thing_core" EntityType="Csod.thing">{beside}</EntitySet></EntityContainer>
{apart}"""
TRACKED = '<Annotation Term="ExtendedMetadata.ObjectSupportsChangeTracking" {}>{}</Annotation>'


def parse_metadata(text: str) -> list[EntitySet]:
    return parse((EDMX % text).encode())


def parse_thing(inside: str = "", beside: str = "", apart: str = "") -> EntitySet:
    (found,) = parse_metadata(OBJECT.format(inside=inside, beside=beside, apart=apart))
    return found


def test_type_has_its_own_and_its_inherited_columns() -> None:
    assert parse_thing() == EntitySet(
        "thing_core",
        {
            "id": Column("Edm.Int32"),
            "price": Column("Edm.Decimal", scale=2),
            "code": Column("Edm.String", filterable=False),
            "tags": Column("Collection(Edm.String)"),
            "place": Column("Csod.Place"),
        },
        ("id",),
    )


@pytest.mark.parametrize(("attribute", "text"), [('Bool="true"', ""), ('String="True"', ""), ("", "<Bool>true</Bool>")])
def test_change_tracking_can_be_declared_in_three_places(attribute: str, text: str) -> None:
    said = TRACKED.format(attribute, text)
    assert parse_thing(inside=said).tracks_changes
    assert parse_thing(beside=said).tracks_changes
    assert parse_thing(apart=f'<Annotations Target="Csod.All/thing_core">{said}</Annotations>').tracks_changes
    assert parse_thing(apart=f'<Annotations Target="Csod.thing">{said}</Annotations>').tracks_changes
    for no in ('Bool="false"', 'String="No"', 'Int="0"'):
        assert not parse_thing(inside=TRACKED.format(no, "")).tracks_changes
    value = '<Record><PropertyValue Property="{}" Bool="{}"/></Record>'
    record = f'<Annotation Term="Csod.ExtendedMetadata">{value}</Annotation>'
    assert parse_thing(inside=record.format("ObjectSupportsChangeTracking", "true")).tracks_changes
    assert not parse_thing(inside=record.format("ObjectSupportsChangeTracking", "false")).tracks_changes
    apart = '<Annotations Target="Csod.thing/price">{}</Annotations>'
    found = parse_thing(apart=apart.format(record.format("FieldIsFilteringAllowed", "false")))
    assert not found.columns["price"].filterable
    assert found.columns["id"].filterable


def test_type_definitions_are_resolved_by_namespace() -> None:
    text = """
<EnumType Name="status"/><TypeDefinition Name="code" UnderlyingType="Edm.Int64"/><ComplexType Name="place"/>
<EntityType Name="t"><Key><PropertyRef Name="k"/></Key><Property Name="k" Type="Csod.code"/>
<Property Name="s" Type="Csod.status"/><Property Name="p" Type="Csod.place"/></EntityType>
<EntityContainer Name="All"><EntitySet Name="x_core" EntityType="Csod.t"/><EntitySet Name="y_core" EntityType="B.t"/>
</EntityContainer></Schema><Schema Namespace="B" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="t"><Property Name="other" Type="Edm.String"/></EntityType>"""
    one, two = parse_metadata(text)
    assert one == EntitySet(
        "x_core", {"k": Column("Edm.Int64"), "s": Column("Edm.String"), "p": Column("object")}, ("k",)
    )
    assert two == EntitySet("y_core", {"other": Column("Edm.String")})


def test_entity_types_become_streams_if_there_is_no_entity_container() -> None:
    (found,) = parse_metadata('<EntityType Name="vw_rpt_x"><Property Name="a" Type="Edm.String"/></EntityType>')
    assert (found.name, found.key) == ("vw_rpt_x", ())


def test_keys_match_regardless_of_case_and_unnamed_columns_are_ignored() -> None:
    (found,) = parse_metadata("""
<EntityType Name="user.core"><Key><PropertyRef Name="USER_ID"/><PropertyRef Name="gone"/></Key>
<Property Type="Edm.Int32"/><Property Name="user_id" Type="Edm.Int32"/><Property Name="Code" Type="Edm.String"/>
<Property Name="CODE" Type="Edm.Int64"/></EntityType>
<EntityContainer Name="All"><EntitySet Name="user.core" EntityType="Csod.user.core"/></EntityContainer>""")
    assert (found.name, found.key) == ("user.core", ("user_id", "gone"))
    assert list(found.columns) == ["user_id", "Code", "CODE"]
    assert schema_of(found)["properties"]["user_id"]["type"] == ["integer"]


def test_column_label_is_one_line_and_keeps_its_case() -> None:
    label = '<Annotations Target="Csod.thing/{}"><Annotation Term="ExtendedMetadata.FieldHeading"{}/></Annotations>'
    apart = label.format("code", ' String="Cost&#10;  Code "') + label.format("price", "")
    columns = parse_thing(apart=apart).columns
    assert (columns["code"].label, columns["price"].label, columns["id"].label) == ("Cost Code", "", "")


LABEL = '<Annotation Term="ExtendedMetadata.FieldPublicName" String="{}"/>'
ODD_LABELS = [
    b"Shoe\x0bsize",
    b"\x00",
    b"&#11;&#x1F;&#0;",
    b"&nbsp;Gr&ouml;&szlig;e",
    b"Gr\xf6\xdfe",
    b"&amp;&#65;",
]


@pytest.mark.parametrize("label", ODD_LABELS)
def test_label_with_invalid_xml_does_not_lose_the_column(label: bytes) -> None:
    text = (EDMX % OBJECT.format(inside=LABEL.format("@@"), beside="", apart="")).encode().replace(b"@@", label)
    assert parse(text) == [parse_thing()]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<html><body>Login", "it is not XML"),
        (b"", "it is not XML"),
        (b"<html/>", "it describes nothing"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "it declares a document type"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "it declares a document type"),
    ],
)
def test_document_that_describes_no_service_is_rejected(document: bytes, reason: str) -> None:
    with pytest.raises(MetadataError, match=reason):
        parse(document)


def test_entities_are_not_expanded() -> None:
    bomb = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))
    with pytest.raises(MetadataError):
        parse(f'<!DOCTYPE x [<!ENTITY a0 "ha">{bomb}]><x>&a12;</x>'.encode())


def test_odata_types_are_converted_to_json_schema() -> None:
    columns = {
        "id": Column("Edm.Guid"),
        "whole": Column("Edm.Int64"),
        "exact": Column("Edm.Decimal", scale=4),
        "rough": Column("Edm.Decimal"),
        "flag": Column("Edm.Boolean"),
        "at": Column("Edm.DateTimeOffset"),
        "on": Column("Edm.Date"),
        "clock": Column("Edm.TimeOfDay"),
        "many": Column("Collection(Edm.Int32)"),
        "place": Column("object"),
        "unknown": Column("Csod.Place"),
        "spot": Column("Edm.GeographyPoint"),
    }
    properties = schema_of(EntitySet("x", columns, ("id",)))["properties"]
    assert all(part.pop("description") for part in properties.values())
    assert properties == {
        "id": {"type": ["string"]},
        "whole": {"type": ["integer", "null"]},
        "exact": {"type": ["number", "null"], "multipleOf": 0.0001},
        "rough": {"type": ["number", "null"]},
        "flag": {"type": ["boolean", "null"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "on": {"type": ["string", "null"], "format": "date"},
        "clock": {"type": ["string", "null"]},
        "many": {"type": ["array", "null"], "items": {}},
        "place": {"type": ["object", "null"]},
        "unknown": {},
        "spot": {},
    }
    assert "_sdc_deleted_at" in schema_of(EntitySet("x", columns, ("id",), tracks_changes=True))["properties"]


def test_shipped_catalogue_contains_every_known_name() -> None:
    assert {service: len(sets) for service, sets in load_shipped().items()} == {"views": 235, "objects": 140}
    users = next(found for found in load_shipped()["objects"] if found.name == "users_core")
    assert users.key == ("user_id",)
    assert "_last_touched_dt_utc" in users.columns


@pytest.mark.parametrize("service", ["dataexporter", "reporting"])
def test_published_metadata_is_parsed(samples: Path, service: str) -> None:
    body = json.loads((samples / f"{service}_metadata.json").read_text())["response"]["body_text"]
    sets = {found.name: found for found in parse(body.encode())}
    assert sets
    assert all(found.columns for found in sets.values())
    if service == "dataexporter":
        assert sets["user_ou_core"].key == ("user_id", "ou_id")
        assert sets["user_ou_core"].tracks_changes
        assert not sets["training_core"].tracks_changes
