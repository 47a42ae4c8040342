"""Every path of every stream has a protection class, and no class is left of a path that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.privacy.classes import CLASSES, PERSON_SPACES, lookup_class
from singer_rest.privacy.classification import EACH_STREAM, parse_row_rule, pattern_class, shipped_classes
from singer_rest.privacy.profiles import PROFILES

from docsite.catalog import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_rest import RestTap

EXTRA = "_extra"
TAPS = ["tap-personio", "tap-factorial", "tap-cornerstone"]


def make_tap(name: str, **settings: Any) -> RestTap:
    tap_class, config = EVERYTHING[name]
    return tap_class(config={**config, **settings}, validate_config=False)


def package_name(tap: str) -> str:
    return tap.replace("-", "_")


def leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the paths of a schema that have no paths below them, with their schemas."""
    items = schema.get("items")
    if properties := schema.get("properties"):
        for name, part in properties.items():
            yield from leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(items, dict) and (items.get("properties") or items.get("items")):
        yield from leaves(items, f"{path}[]")
    elif path:
        yield path, schema


def leaf_paths(schema: Mapping[str, Any]) -> list[str]:
    """Returns the paths of a schema that need a class of their own."""
    return [path for path, _ in leaves(schema) if path != EXTRA]


def resolved_path(path: str) -> str:
    """Returns the path of the field that says which rows or objects a rule is about. Other paths stay as they are."""
    rule = parse_row_rule(path, "")
    return path if rule is None else f"{rule.path}[].{rule.column}" if rule.path else rule.column


@pytest.mark.parametrize("name", TAPS)
def test_every_path_has_a_class(name: str) -> None:
    shipped = shipped_classes(package_name(name))
    missing = [
        f"{stream.name}\t{path}\t{pattern_class(path.rpartition('.')[2]).name} (proposed)"
        for stream in make_tap(name).streams.values()
        for path in leaf_paths(stream.schema)
        if path not in shipped.get(stream.name, {})
    ]
    assert not missing, f"Add a line with the class to {package_name(name)}/protection.tsv:\n" + "\n".join(missing)


@pytest.mark.parametrize("name", TAPS)
def test_every_class_is_of_a_path(name: str) -> None:
    streams = make_tap(name).streams
    paths = {stream.name: leaf_paths(stream.schema) for stream in streams.values()}
    stale = [
        f"{stream}\t{path}"
        for stream, classes in shipped_classes(package_name(name)).items()
        if EACH_STREAM not in stream
        for path in (resolved_path(path) for path in classes)
        if not any(path == known or path.startswith((f"{known}.", f"{known}[].")) for known in paths.get(stream, ()))
    ]
    assert not stale, f"Remove these lines from {package_name(name)}/protection.tsv:\n" + "\n".join(stale)


@pytest.mark.parametrize("name", TAPS)
def test_ids_of_people_say_of_which_kind_they_are(name: str) -> None:
    wrong = [
        f"{stream}.{path}"
        for stream, classes in shipped_classes(package_name(name)).items()
        for path, protection in classes.items()
        if (protection.name in {"direct_id.id", "direct_id.number"}) != (protection.space in PERSON_SPACES)
    ]
    assert not wrong


@pytest.mark.parametrize("name", TAPS)
def test_catalog_shows_the_class_of_each_field(name: str) -> None:
    tap = make_tap(name)
    without = [
        f"{entry['stream']}.{path}"
        for entry in tap.catalog_dict["streams"]
        for path, part in leaves(entry["schema"])
        if part.get("x-protection") not in CLASSES
    ]
    assert not without


@pytest.mark.parametrize("profile", sorted({*PROFILES} - {"everything"}))
@pytest.mark.parametrize("name", TAPS)
def test_dropped_classes_are_absent_from_the_schema(name: str, profile: str) -> None:
    tap = make_tap(name, privacy=profile)
    for entry in tap.catalog_dict["streams"]:
        for path, part in leaves(entry["schema"]):
            found = part["x-protection"]
            if found == "unclassified":  # a container of which the allowed fields stay, or the key of a portal's view
                continue
            assert lookup_class(found, PROFILES[profile]) != "drop", path


@pytest.mark.parametrize("name", TAPS)
def test_streams_without_key_are_not_offered(name: str) -> None:
    everything, least = make_tap(name).streams, make_tap(name, privacy="minimal").streams
    assert least.keys() <= everything.keys()
    assert not least.keys() & {"compensations", "salary_bands"}
    for stream in least.values():
        assert {*stream.primary_keys} <= stream.schema["properties"].keys(), stream.name


def test_catalog_of_all_columns_shows_no_more_under_a_profile() -> None:
    catalog = make_tap("tap-personio").catalog_dict
    tap_class, config = EVERYTHING["tap-personio"]
    tap = tap_class(
        config={**config, "privacy": "minimal", "privacy_key": "k" * 32}, catalog=catalog, validate_config=False
    )
    expected = {
        entry["stream"]: entry["schema"]
        for entry in make_tap("tap-personio", privacy="minimal").catalog_dict["streams"]
    }
    for name in ("persons", "absence_periods", "attendance_periods"):
        stream = tap.streams[name]
        (message,) = stream._generate_schema_messages()
        shown = message.schema["properties"]
        assert shown.keys() == expected[name]["properties"].keys()
        assert stream.effective_schema["properties"].keys() > shown.keys()
        assert message.schema["x-privacy"].startswith("minimal-")


@pytest.mark.parametrize("name", TAPS)
def test_catalog_shows_what_refers_to_people(name: str) -> None:
    shown = {
        (entry["stream"], path)
        for entry in make_tap(name).catalog_dict["streams"]
        for leaf, part in leaves(entry["schema"])
        for path in (
            leaf,
            *(f"{leaf}{below}" if below[0] == "[" else f"{leaf}.{below}" for below in part.get("x-paths", ())),
        )
        if "x-refers-to" in part or path != leaf
    }
    known = {
        (stream, path)
        for stream, classes in shipped_classes(package_name(name)).items()
        for path, protection in classes.items()
        if "x-refers-to" in protection.keywords and stream != EACH_STREAM
    }
    assert known <= shown
    assert known


@pytest.mark.parametrize("name", TAPS)
def test_rows_about_the_same_person_are_of_a_stream_with_one_key(name: str) -> None:
    streams = make_tap(name).streams
    parents = {
        protection.parent
        for classes in shipped_classes(package_name(name)).values()
        for protection in classes.values()
        if protection.parent
    }
    assert parents
    assert {stream: len(streams[stream].primary_keys) for stream in parents} == dict.fromkeys(parents, 1)
