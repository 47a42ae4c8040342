"""Which pages are fitted at once, and that others are fitted record by record.

`tests/test_pages.py` compares the two for random pages of every stream.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.singer.messages import encode
from singer_rest.singer.records import RecordConformer

if TYPE_CHECKING:
    from collections.abc import Mapping

STRING, NUMBER, INTEGER, BOOLEAN = ({"type": [kind, "null"]} for kind in ("string", "number", "integer", "boolean"))
OBJECT, ARRAY = {"type": ["object", "null"]}, {"type": ["array", "null"]}
SCHEMA: dict[str, Any] = {
    "properties": {
        "id": {"type": "string"},
        "day": {**STRING, "format": "date"},
        "updated_at": {**STRING, "format": "date-time"},
        "local": {**STRING, "format": "date-time", "x-sql-datatype": "TIMESTAMP"},
        "text": STRING,
        "class": STRING,
        "first name": STRING,
        "count": INTEGER,
        "price": NUMBER,
        "open": BOOLEAN,
        "any": {},
        "mixed": {"type": ["string", "integer", "object", "null"]},
        "either": {"anyOf": [INTEGER, {**STRING, "format": "date"}]},
        "tags": {**ARRAY, "items": STRING},
        "days": {**ARRAY, "items": {**STRING, "format": "date"}},
        "list": ARRAY,
        "free": OBJECT,
        "own": OBJECT,
        "person": {**OBJECT, "properties": {"id": STRING, "age": INTEGER, "pets": {**ARRAY, "items": STRING}}},
        "money": {**OBJECT, "properties": {"amount": NUMBER, "api_token": STRING}},
        "_extra": OBJECT,
    }
}


def make_conformer(keys: tuple[str, ...] = ("id",)) -> RecordConformer:
    return RecordConformer(SCHEMA, keys, free_names=("own",), look_alikes=("page_password",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("day", "2024-02-29"),
        ("updated_at", "2026-11-22T05:00:00Z"),
        ("updated_at", "2026-11-22T05:00:00.5+00:00"),
        ("updated_at", "2026-11-22T06:00:00+01:00"),
        ("updated_at", "2026-11-22T05:00:00.1234567+00:00"),
        ("local", "2026-11-22T05:00:00.123"),
        ("count", 2**63 - 1),
        ("count", "12"),
        ("price", Decimal("12345678901234567.89")),
        ("price", 2**70),
        ("id", 5),
        ("free", {"a": [{"b": Decimal("1.5")}], "refresh_token": "x"}),
        ("person", {"id": "1", "pets": ["a", None]}),
        ("person", {"id": "1", "new": {"password": "x"}}),
        ("days", ["2024-02-29", "20240229"]),
    ],
)
def test_coercible_values_need_no_second_way(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    page = [{"id": "1", name: copy.deepcopy(value)}, {"id": "2", name: None}, {"id": "3"}]
    expected = [make_conformer().conform(copy.deepcopy(record)) for record in page]
    monkeypatch.setattr(RecordConformer, "conform", None)
    assert encode(make_conformer().conform_page(page)) == encode(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 2**63),
        ("price", Decimal("1e400")),
        ("price", Decimal("-1e309")),
        ("day", "2023-02-29"),
        ("updated_at", "0001-01-01T00:00:00+05:00"),
        ("updated_at", ["2026-11-22"] * 40),
        ("text", {"a": 1}),
        ("new", 1),
        ("_extra", {}),
    ],
)
def test_other_values_are_kept_in_extra(name: str, value: object) -> None:
    shape = make_conformer()
    page: list[dict[str, Any]] = [{"id": "1"}, {"id": "2", name: value}]
    assert shape.conform_page(copy.deepcopy(page))[1]["_extra"].keys() == {name}
    assert shape.conform_page([{"id": "3", name: None}, {"id": "4"}])[1] == {"id": "4"}


def test_page_of_wrong_numbers_does_not_affect_how_later_pages_are_fitted() -> None:
    shape = make_conformer()
    for value in (1, "1", "one", 1):
        found: Mapping[str, Any] = shape.conform_page([{"id": "1", "count": value}])[0]
        assert found["count"] == (None if value == "one" else 1)


def test_repeated_keys_are_counted_across_pages() -> None:
    shape = make_conformer()
    memory: dict[str, Any] = {}
    shape.start_page(memory)
    for page in (["1", "2"], ["3", "2"], ["4", "4"], [None, "5"], ["5", "6"]):
        shape.conform_page([{"id": identity} for identity in page])
    assert (shape.repeated, shape.keyless) == (3, 1)
    shape.start_page({})
    shape.conform_page([{"id": "1"}])
    shape.start_page(memory)
    shape.conform_page([{"id": "6"}])
    assert shape.repeated == 4
