"""Which pages are read at once, and that others are read record by record.

`tests/test_pages.py` compares the two for random pages of every stream.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import PageContents, PageNumber, Request
from singer_rest.fetch.loop_guard import fingerprint_records
from singer_rest.fetch.page import FittedRecords
from singer_rest.privacy.classification import Classification, Protection
from singer_rest.privacy.compiler import PrivacyCompiler
from singer_rest.privacy.profiles import PROFILES, Profile
from singer_rest.privacy.pseudonyms import Pseudonyms
from singer_rest.privacy.stream_privacy import RecordColumns, StreamPrivacy
from singer_rest.singer import page_reader
from singer_rest.singer.coercion import Coercion
from singer_rest.singer.messages import encode_lines
from singer_rest.singer.page_reader import PageReader
from singer_rest.singer.page_rows import RowShape
from singer_rest.singer.records import RecordConformer

if TYPE_CHECKING:
    from singer_rest import Record

STRING, NUMBER, INTEGER, BOOLEAN = ({"type": [kind, "null"]} for kind in ("string", "number", "integer", "boolean"))
OBJECT, ARRAY = {"type": ["object", "null"]}, {"type": ["array", "null"]}
TIMESTAMP = {**STRING, "format": "date-time"}
PROPERTIES: dict[str, Any] = {
    "id": {"type": "string"},
    "day": {**STRING, "format": "date"},
    "updated_at": TIMESTAMP,
    "created_at": TIMESTAMP,
    "local": {**TIMESTAMP, "x-sql-datatype": "TIMESTAMP"},
    "first name": STRING,
    "count": INTEGER,
    "price": NUMBER,
    "open": BOOLEAN,
    "mixed": {"type": ["integer", "object", "null"]},
    "tags": {**ARRAY, "items": STRING},
    "free": OBJECT,
    "person": {**OBJECT, "properties": {"id": STRING}},
    "money": {**OBJECT, "properties": {"amount": INTEGER, "currency": STRING}},
}
WRAPPED = RowShape(attributes="attributes", has_empty_values=False)


PERSON = Protection("direct_id.id", "person")
CLASSES = {
    "[open=true]": Protection("pay"),
    "id": PERSON,
    "day": Protection("personal.start"),
    "updated_at": Protection("technical"),
    "created_at": Protection("personal.end"),
    "local": Protection("demographic.birth"),
    "first name": Protection("direct_id.name"),
    "count": Protection("direct_id.id", "person", ("price", "8")),
    "price": Protection("personal"),
    "open": Protection("evaluation"),
    "tags": PERSON,
    "free.a": PERSON,
    "free.b": Protection("organisational"),
    "person.id": PERSON,
}


def make_privacy() -> StreamPrivacy:
    profile = Profile("own", {**PROFILES["minimal"], "demographic.birth": "year"})
    compiler = PrivacyCompiler(profile, Classification({"s": CLASSES}), lambda: Pseudonyms(b"k" * 32, ""))
    return compiler.compile("s", {"properties": PROPERTIES}, ["id"], "updated_at")


def make_reader(
    shape: RowShape | None = None,
    keys: tuple[str, ...] = ("id",),
    key: str | None = "updated_at",
    privacy: StreamPrivacy | None = None,
) -> PageReader:
    names = Coercion()
    return PageReader(
        PROPERTIES,
        keys,
        key,
        records_path="data",
        shape=shape or RowShape(),
        is_public=lambda _, name: names.is_public(name),
        privacy=privacy,
    )


def make_body(*records: str) -> bytes:
    return f'{{"data": [{", ".join(records)}], "next": 2}}'.encode()


def read_page(body: bytes, using: PageReader) -> FittedRecords | None:
    page = using.read(body, lambda: json.loads(body)["data"])
    if page is None:
        return None
    records = page.pop("data").records
    assert page == {"next": 2}
    assert isinstance(records, FittedRecords)
    return records


def record_json(**members: str) -> str:
    """Returns the JSON of a record. The fields are given as JSON."""
    members = {"id": '"1"', "updated_at": '"2026-11-22T05:00:00Z"', **members}
    return "{" + ", ".join(f'"{name.replace("_name", " name")}": {value}' for name, value in members.items()) + "}"


def fitted_singly(page: bytes) -> bytes:
    conformer = RecordConformer({"properties": PROPERTIES}, ("id",))
    return encode_lines([conformer.conform(record) for record in page_reader.DECODER.decode(page)["data"]])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("day", '"2024-02-29"'),
        ("created_at", '"2026-11-22T05:00:00+00:00"'),
        ("created_at", '"2026-11-22T05:00:00.123456Z"'),
        ("created_at", '"2026-11-22T05:00:00.1234567+00:00"'),
        ("created_at", "null"),
        ("local", '"2026-11-22T05:00:00"'),
        ("first_name", '"Zo\\u00eb \\" \\n"'),
        ("first_name", '""'),
        ("count", "-9223372036854775808"),
        ("price", "12345678901234567.89"),
        ("price", "1e5"),
        ("price", "1180591620717411303424"),
        ("open", "true"),
        ("tags", '["a", null]'),
        ("free", '{"b": 1, "a": "x"}'),
        ("person", "{}"),
        ("person", '{"id": null}'),
        ("money", "null"),
    ],
)
def test_values_that_fit_are_read_at_once(name: str, value: str) -> None:
    page = make_body(record_json(**{name: value}), record_json(id='"2"'))
    records = read_page(page, make_reader())
    assert records is not None
    assert records.lines == fitted_singly(page)
    assert len(records) == 2
    assert records.keys == [["1", "2"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "1"),
        ("day", '"20240229"'),
        ("updated_at", "null"),
        ("updated_at", '"2026-11-22"'),
        ("created_at", '"2026-11-22T05:00:00.5Z"'),
        ("created_at", '"2026-11-22T06:00:00+01:00"'),
        ("created_at", '""'),
        ("local", '"2026-11-22T05:00:00Z"'),
        ("first_name", "5"),
        ("first_name", '"\\ud800"'),
        ("count", "1.0"),
        ("count", "9223372036854775808"),
        ("price", '"1.50"'),
        ("price", "1e400"),
        ("price", "true"),
        ("open", "1"),
        ("mixed", "1"),
        ("tags", "{}"),
        ("free", '{"refresh_token": "x"}'),
        ("free", '{"a": {}}'),
        ("person", '{"name": "x"}'),
        ("money", '{"currency": "EUR", "amount": 1}'),
        ("unlisted", "null"),
    ],
)
def test_other_values_are_read_singly(name: str, value: str) -> None:
    assert read_page(make_body(record_json(**{name: value}), record_json(id='"2"')), make_reader()) is None


def protected_singly(page: bytes) -> bytes:
    conformer = RecordConformer({"properties": PROPERTIES}, ("id",))
    columns = RecordColumns([conformer.conform(record) for record in page_reader.DECODER.decode(page)["data"]])
    make_privacy().apply(columns)
    return encode_lines(columns.records)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", '" A-1 "'),
        ("day", '"2024-02-29"'),
        ("created_at", '"2026-11-30T05:00:00.123456Z"'),
        ("created_at", '"2026-11-22T05:00:00+00:00"'),
        ("created_at", "null"),
        ("local", '"2026-11-22T05:00:00"'),
        ("first_name", '"Ada"'),
        ("count", "-5"),
        ("count", '12, "price": 8'),
        ("count", '12, "price": 8.0'),
        ("price", "8"),
        ("open", "true"),
        ("open", "null"),
        ("tags", '["a", null, ""]'),
        ("free", '{"b": 1, "c": "Ada", "a": "x"}'),
        ("free", "{}"),
        ("person", '{"id": null}'),
        ("person", '{"id": "1"}'),
    ],
)
def test_privacy_profile_changes_pages_as_it_changes_records(name: str, value: str) -> None:
    page = make_body(record_json(**{"open": "false", name: value}), record_json(id='"2"', open="false"), record_json())
    records = read_page(page, make_reader(privacy=make_privacy()))
    assert records is not None
    assert records.lines == protected_singly(page)
    assert (len(records), records.withheld) == (3, 2 if name == "open" else 1)
    assert records.keys == [[json.loads(value) if name == "id" else "1", "2", "1"]], "keys are compared as they were"
    assert b"Ada" not in records.lines


def test_pages_without_rows_are_told_apart_under_a_privacy_profile() -> None:
    using = make_reader(privacy=make_privacy())
    pages = [read_page(make_body(record_json(id=f'"{number}"', open="true")), using) for number in (1, 2)]
    assert [page and page.lines for page in pages] == [b"", b""]
    assert len({fingerprint_records(page or [], has_key=True) for page in pages}) == 2


def test_pages_without_keys_are_read_singly_under_a_privacy_profile() -> None:
    assert read_page(make_body(record_json()), make_reader(keys=(), privacy=make_privacy())) is None


def test_values_without_records_are_read_singly() -> None:
    for page in (b'{"data": []}', b'{"data": [null]}', b'{"data": {}}', b"{}", b"[]", b"{", b'{"data": [1]}'):
        assert read_page(page, make_reader()) is None


def test_properties_stay_in_the_order_of_the_first_page() -> None:
    using = make_reader(key=None)
    pages = [
        make_body('{"count": 1, "id": "1", "open": true}'),
        make_body('{"count": 2, "id": "2", "day": null, "open": false}'),
    ]
    lines = [records.lines for page in pages if (records := read_page(page, using))]
    assert lines == [b'{"count":1,"id":"1","open":true}\n', b'{"count":2,"id":"2","open":false,"day":null}\n']


def test_latest_timestamp_is_the_latest_replication_key() -> None:
    page = make_body(
        record_json(created_at='"2026-11-22T09:00:00Z"'),
        record_json(updated_at='"2026-11-22T07:00:00Z"'),
        record_json(),
    )
    records = read_page(page, make_reader())
    assert records is not None
    assert records.latest == datetime(2026, 11, 22, 7, tzinfo=timezone.utc)
    unbookmarked = read_page(page, make_reader(key=None))
    assert unbookmarked is not None
    assert unbookmarked.latest is None


@pytest.mark.parametrize(
    ("page", "line"),
    [
        (
            '{"id": "1", "type": "A", "attributes": {"free": {"type": "B", "id": 2, "attributes": {"a": ""}}}}',
            {"id": "1", "free": {"id": 2, "a": ""}},
        ),
        ('{"id": "1", "attributes": {"id": "2", "tags": []}}', {"id": "2", "tags": []}),
        ('{"attributes": {"free": {"attributes": {}}}}', {"free": {}}),
        ('{"id": "1", "attributes": {"first name": ""}}', None),
        ('{"id": "1", "attributes": {"tags": null}}', None),
        ('{"id": "1", "attributes": {"free": {"label": "a", "value": 1}}}', None),
        ('{"id": "1", "attributes": {"free": {"a": 1}}}', None),
        ('{"id": "1", "attributes": {"person": {"id": "2"}}}', None),
        ('{"id": "1", "attributes": []}', None),
        ('{"id": "1", "count": 1, "attributes": {}}', None),
        ('{"id": "1", "count": 1}', None),
    ],
)
def test_wrapped_records_are_unwrapped(page: str, line: Record | None) -> None:
    records = read_page(make_body(page), make_reader(WRAPPED, key=None))
    assert (json.loads(records.lines) if records else None) == line


def test_fitting_is_abandoned_if_pages_never_fit() -> None:
    using, misfit, good = make_reader(), make_body(record_json(count='"1"')), make_body(record_json())
    for _ in range(page_reader.MAX_MISFITS - 1):
        assert read_page(misfit, using) is None
    assert read_page(good, using)
    for _ in range(page_reader.MAX_MISFITS):
        assert read_page(misfit, using) is None
    assert read_page(good, using) is None


def test_large_pages_are_fitted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    page = make_body(record_json())
    monkeypatch.setattr(page_reader, "MAX_BYTES", len(page))
    assert read_page(page, make_reader())
    assert read_page(page + b" ", make_reader()) is None


@pytest.mark.parametrize("keys", [("price",), ("day",), ("missing",), ("person",)])
def test_keys_that_would_compare_differently_are_read_singly(keys: tuple[str, ...]) -> None:
    assert read_page(make_body(record_json()), make_reader(keys=keys)) is None


def test_records_are_loaded_only_if_they_are_used() -> None:
    page, loads = make_body(record_json(), record_json()), []

    def load() -> list[Record]:
        loads.append(1)
        records: list[Record] = json.loads(page)["data"]
        return records

    found = make_reader().read(page, load)
    assert found is not None
    records = found["data"].records
    assert len(records) == 2
    assert not loads
    assert records[0] is next(iter(records))
    assert [*records] == json.loads(page)["data"]
    assert loads == [1]


def test_repeated_page_is_recognized() -> None:
    paginator, using = PageNumber("page", size=1), make_reader()
    pages = [using.read(make_body(record_json(id=f'"{number}"')), list) for number in (1, 2)]
    first, second = (page["data"] for page in pages if page)
    [following] = paginator.next_requests(Request("/", (("page", "1"), ("limit", "1")), "/"), PageContents({}, first))
    assert paginator.is_repeated(following, first)
    assert not paginator.is_repeated(following, second)
