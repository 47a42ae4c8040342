"""Descriptions of the columns of views and objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tap_cornerstone.odata.descriptions import describe_columns, load_shipped
from tap_cornerstone.odata.metadata import Column, EntitySet
from tap_cornerstone.odata.services import load_shipped as shipped_sets
from tap_cornerstone.odata.types import schema_of
from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from hr_sandbox.testing import Sandbox


def test_every_description_belongs_to_a_shipped_or_numbered_column() -> None:
    sets = {found.name: found for group in shipped_sets().values() for found in group}
    descriptions = load_shipped()
    own = [(name, column) for names, part in descriptions.streams.items() for name in names.split() for column in part]
    assert [(name, column) for name, column in own if column not in sets[name].columns] == []
    assert len(own) == len(set(own))
    others = {column for found in sets.values() for column in found.columns if (found.name, column) not in own}
    assert [column for column in descriptions.columns if column not in others and "#" not in column] == []
    assert descriptions.rows.keys() <= sets.keys()


def test_every_shipped_column_has_a_description() -> None:
    sets = [found for group in shipped_sets().values() for found in group]
    texts = {(found.name, name): text for found in sets for name, text in describe_columns(found).items()}
    assert [place for place, text in texts.items() if "metadata tells" in text] == []


@pytest.mark.parametrize(
    ("entity_set", "name", "column", "text"),
    [
        ("vw_rpt_new", "user_id", Column("Edm.Int32"), "Id of the user; see `users_core`."),
        ("vw_rpt_new", "user_id", Column("Edm.Int32", label="User"), "Id of the user; see `users_core`."),
        (
            "vw_rpt_transcript",
            "is_removed",
            Column("Edm.Boolean"),
            "Whether the training was removed from the user's transcript.",
        ),
        (
            "vw_rpt_new",
            "is_removed",
            Column("Edm.Boolean"),
            "Boolean; the portal's metadata tells only the name and the type.",
        ),
        ("devplan_core", "created_dt", Column("Edm.DateTimeOffset"), "When the development plan was created, UTC."),
        (
            "vw_rpt_new",
            "created_dt",
            Column("Edm.DateTimeOffset"),
            "Timestamp, UTC; the portal's metadata tells only the name and the type.",
        ),
        (
            "vw_rpt_new",
            "user_ou_id77",
            Column("Edm.Int32"),
            "Id of the user's organizational unit of the type with this number; see `ou_core`.",
        ),
        (
            "vw_rpt_new",
            "code",
            Column("Edm.String", label="Cost code"),
            'Text with the label "Cost code" in the portal.',
        ),
        (
            "vw_rpt_new",
            "tags",
            Column("Collection(Edm.String)"),
            "List; the portal's metadata tells only the name and the type.",
        ),
        (
            "vw_rpt_new",
            "spot",
            Column("Edm.GeographyPoint"),
            "Value; the portal's metadata tells only the name and the type.",
        ),
    ],
)
def test_column_is_described_by_its_name_or_by_the_portal(
    entity_set: str, name: str, column: Column, text: str
) -> None:
    assert describe_columns(EntitySet(entity_set, {name: column})) == {name: text}


def test_keys_are_described_even_if_missing_from_the_metadata() -> None:
    schema = schema_of(EntitySet("vw_rpt_new", {"spot": Column("Edm.GeographyPoint")}, ("gone", "spot")))
    assert schema["properties"] == {
        "gone": {
            "type": ["string"],
            "description": "Part of the row's key; the portal's metadata has no such column.",
        },
        "spot": {
            "type": ["string"],
            "description": "Value; the portal's metadata tells only the name and the type.",
        },
    }


def test_portal_columns_are_described_and_custom_fields_have_their_label(sandbox: Sandbox, url: str) -> None:
    columns = sandbox.control("cornerstone/custom-field", kind="user", label="Shoe size")["columns"]
    config: dict[str, Any] = {"api_url": url, "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    streams = TapCornerstone(config={**config, "views": ["vw_rpt_*"]}).streams
    text = streams["users_cf_core"].schema["properties"][columns["users_cf_core"]]["description"]
    assert text.startswith("Custom field")
    assert text.endswith('Its label is "Shoe size".')
    texts = {
        (name, column): part.get("description", "")
        for name, stream in streams.items()
        for column, part in stream.schema["properties"].items()
    }
    assert [place for place, text in texts.items() if len(text.split()) < 3 or not text.endswith(".")] == []
