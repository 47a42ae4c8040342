"""Declarations that cannot work are refused with a sentence that names the stream and the attribute."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_rest import (
    ApiKey,
    PerParent,
    Product,
    RestStream,
    RestTap,
    RunError,
    SingleSlice,
    Slices,
    TapError,
    common_settings,
)
from singer_rest.testing import sync_streams
from singer_sdk import SchemaDirectory, StreamSchema
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCHEMA = th.PropertiesList(th.Property("id", th.StringType, required=True)).to_dict()
STREAM = {"name": "colours", "path": "/colours", "permission": None, "primary_keys": ("id",), "schema": SCHEMA}


def make_stream_type(**attributes: Any) -> type[RestStream]:
    """Returns a stream's class; None leaves an attribute out."""
    given = {name: value for name, value in attributes.items() if value is not None}
    return type("Colours", (RestStream,), {**STREAM, **given})


class PaintTap(RestTap):
    name = "tap-paint"
    stream_types: Sequence[type[RestStream]] = ()
    credentials = ()
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("key", th.StringType, secret=True), *common_settings("http://127.0.0.1:9")
    ).to_dict()

    @cached_property
    def authenticator(self) -> ApiKey:
        return ApiKey("k")


@pytest.mark.parametrize(
    ("attribute", "meaning"),
    [
        ("path", "the endpoint's path below `api_url`"),
        ("permission", "what the credential needs to read it, or to None if it is public"),
        ("primary_keys", r"the columns that identify a record, or to \(\) if there are none"),
        ("schema", "the JSON Schema of its records"),
    ],
)
def test_stream_without_a_required_attribute_is_rejected(attribute: str, meaning: str) -> None:
    declared = {name: value for name, value in STREAM.items() if name != attribute}
    with pytest.raises(TypeError, match=f"^colours: set `{attribute}` to {meaning}\\.$"):
        type("Colours", (RestStream,), declared)


def test_missing_schema_file_is_named(tmp_path: Path) -> None:
    class Tap(PaintTap):
        stream_types = (make_stream_type(schema=StreamSchema(SchemaDirectory(tmp_path))),)

    with pytest.raises(TapError, match=r"^colours: its schema cannot be read\. Check colours\.json "):
        _ = Tap().catalog_dict


def test_base_class_without_a_name_needs_none() -> None:
    type("Base", (RestStream,), {})


def test_stream_inherits_what_it_does_not_declare() -> None:
    base = type("Base", (RestStream,), {"permission": None, "primary_keys": (), "schema": SCHEMA})
    type("Colours", (base,), {"name": "colours", "path": "/colours"})


@pytest.mark.parametrize(
    "slices", [None, SingleSlice(), PerParent("paints", "shop_id"), PerParent("paints", "paint_id", param="paint")]
)
def test_placeholder_that_no_slice_fills_is_rejected(slices: Slices | None) -> None:
    with pytest.raises(TypeError, match=r"^colours: set `slices` to ones that fill the placeholder \{paint_id\} of"):
        make_stream_type(path="/paints/{paint_id}/colours", slices=slices)


@pytest.mark.parametrize(
    "slices", [PerParent("paints", "paint_id"), Product(PerParent("paints", "paint_id"), SingleSlice())]
)
def test_placeholder_that_slices_fill_is_accepted(slices: Slices) -> None:
    make_stream_type(path="/paints/{paint_id}/colours", slices=slices)


@pytest.mark.parametrize(
    ("attribute", "meaning"),
    [
        ("stream_types", "the classes of its streams"),
        ("credentials", "the groups of settings of which one is required"),
        ("authenticator", "what adds the credentials to requests, such as an ApiKey"),
    ],
)
def test_tap_without_a_required_attribute_is_rejected(attribute: str, meaning: str) -> None:
    declared = {"name": "tap-paint", "stream_types": (), "credentials": (), "authenticator": ApiKey("k")}
    del declared[attribute]
    with pytest.raises(TypeError, match=f"^tap-paint: set `{attribute}` to {meaning}"):
        type("TapPaint", (RestTap,), declared)


def test_parent_that_is_not_a_stream_of_the_tap_is_rejected() -> None:
    colours = make_stream_type(slices=PerParent("paints", "paint_id"), path="/paints/{paint_id}/colours")
    with pytest.raises(TypeError, match=r"^colours: `slices` name the parent paints, which is not among the tap's"):
        type("TapPaint", (PaintTap,), {"stream_types": (colours,)})
    paints = make_stream_type(name="paints", path="/paints")
    type("TapPaint", (PaintTap,), {"stream_types": (colours, paints)})


def test_unknown_parent_is_rejected_if_streams_depend_on_a_setting() -> None:
    colours = make_stream_type(slices=PerParent("paints", "paint_id"), path="/paints/{paint_id}/colours")
    tap = type("TapPaint", (PaintTap,), {"stream_types": property(lambda _: (colours,))})
    with pytest.raises(TypeError, match=r"^colours: `slices` name the parent paints"):
        tap(config={})


def test_unknown_parent_is_rejected_if_slices_are_a_property() -> None:
    colours = make_stream_type(
        slices=property(lambda _: PerParent("paints", "paint_id")), path="/paints/{paint_id}/colours"
    )
    tap = type("TapPaint", (PaintTap,), {"stream_types": (colours,)})
    with pytest.raises(RunError, match=r"^colours: `slices` name the parent paints"):
        sync_streams(tap(config={}))


def test_tap_whose_credentials_are_not_set_is_rejected() -> None:
    tap = type("TapPaint", (PaintTap,), {"credentials": (("key",),), "stream_types": (make_stream_type(),)})
    with pytest.raises(ConfigValidationError) as refused:
        sync_streams(tap(config={}))
    assert "`key`" in str(refused.value.errors)
