"""BATCH messages: records in files load like those of RECORD messages."""

from __future__ import annotations

import bz2
import gzip
import lzma
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import fsspec
import pytest
from target_duckdb.errors import TargetError
from target_duckdb.load import Loader
from target_duckdb.streams import Stream

if TYPE_CHECKING:
    from pathlib import Path

INTEGER = {"type": ["null", "integer"]}
STRING = {"type": ["null", "string"]}
STATE = {"type": "STATE", "value": {"bookmark": 1}}
COLUMNS = {
    "id": INTEGER,
    "name": STRING,
    "amount": {"type": ["null", "string"], "format": "singer.decimal"},
    "number": {"type": ["null", "number"]},
    "flag": {"type": ["null", "boolean"]},
    "at": {"type": ["null", "string"], "format": "date-time"},
    "day": {"type": ["null", "string"], "format": "date"},
    "more": {"type": ["null", "object"]},
}
ROWS = [
    '{"id": 1, "name": "a\\u0000\\ud800", "amount": 12345678901234567.89, "number": 0.1}',
    '{"id": 3, "flag": true, "at": "2024-01-01T02:00:00+02:00", "day": "2024-02-29"}',
    '{"id": 4, "more": {"x": 1.50, "X": 12345678901234567.89}, "number": 1}',
    '{"id": 2, "name": "", "more": null}',
    '{"id": 1000000000000000000000000000000000000000, "name": 5}',
]


def _make_batch(*manifest: Any, format_: str = "jsonl", compression: str | None = None, **more: Any) -> dict[str, Any]:
    encoding = {"format": format_} | ({"compression": compression} if compression else {})
    return {"type": "BATCH", "stream": "s", "encoding": encoding, "manifest": [str(url) for url in manifest], **more}


def _write_lines(url: str, rows: list[str], *, compressed: bool = False) -> None:
    data = "".join(f" {row} \r\n\n" for row in rows).encode()
    with fsspec.open(url, "wb") as file:
        file.write(gzip.compress(data) if compressed else data)


@pytest.fixture(name="parquet")
def parquet_fixture(tmp_path: Path) -> Any:
    def write(select: str, name: str = "x[1].parquet") -> str:
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({select}) TO '{tmp_path}/{name}' (FORMAT parquet)")
        return f"{tmp_path}/{name}"

    return write


@pytest.mark.parametrize(
    ("kind", "compressed"),
    [("{}/a b.jsonl", False), ("{}/a.jsonl.gz", True), ("file://{}/a.jsonl", True), ("memory://{}/a.jsonl", False)],
)
def test_jsonl_files_load_like_records(*, duck: Any, schema: Any, compressed: bool, kind: str) -> None:
    url = kind.format(duck.folder)
    _write_lines(url, ROWS, compressed=compressed)
    records = [f'{{"type": "RECORD", "stream": "s", "record": {row}}}' for row in ROWS]
    duck.load(schema("s", COLUMNS, ["id"]), *records)
    expected = (duck.types("s"), duck.query("FROM s ORDER BY id"))
    duck.query("DROP TABLE s")
    for _ in range(2):
        duck.load(schema("s", COLUMNS, ["id"]), _make_batch(url, compression="gzip" if compressed else None))
        assert (duck.types("s"), duck.query("FROM s ORDER BY id")) == expected
    assert fsspec.core.url_to_fs(url)[0].exists(url)  # the target does not remove it


def test_last_record_of_a_key_wins_across_files(duck: Any, schema: Any, record: Any) -> None:
    files = [str(duck.folder / name) for name in ("a.jsonl", "b.jsonl")]
    _write_lines(files[0], ['{"id": 1, "name": "a"}', '{"id": 1, "name": "b"}', '{"id": 2, "name": "a"}'])
    _write_lines(files[1], ['{"id": 2, "name": "b"}', '{"id": 3, "name": "a"}'])
    head = schema("s", {"id": INTEGER, "name": STRING}, ["id"])
    last = record("s", {"id": 3, "name": "b"})
    duck.load(head, record("s", {"id": 1, "name": "0"}), _make_batch(*files), last)
    assert duck.query("FROM s ORDER BY id") == [(1, "b"), (2, "b"), (3, "b")]
    duck.load(head, _make_batch(*files), _make_batch(files[0]), batch_size_rows=2)
    assert duck.query("FROM s ORDER BY id") == [(1, "b"), (2, "a"), (3, "a")]


def test_batch_message_sets_version_and_metadata(duck: Any, schema: Any) -> None:
    url = str(duck.folder / "a.jsonl")
    head = schema("s", {"id": INTEGER}, ["id"])
    _write_lines(url, ['{"id": 1}', '{"id": 2}'])
    duck.load(head, _make_batch(url, version=1), add_metadata_columns=True)
    _write_lines(url, ['{"id": 2}'])
    activate = {"type": "ACTIVATE_VERSION", "stream": "s", "version": 2}
    message = _make_batch(url, version=2, time_extracted="2024-01-01T00:00:00Z")
    assert duck.load(head, message, activate, '{"type": "STATE", "value": 7}', add_metadata_columns=True) == ["7"]
    assert duck.query(
        "SELECT id, _sdc_table_version, _sdc_deleted_at IS NULL, CAST(_sdc_extracted_at AS VARCHAR),"
        " count(_sdc_received_at), count(_sdc_batched_at), count(_sdc_sequence) FROM s GROUP BY ALL ORDER BY 1"
    ) == [(1, 1, False, None, 1, 1, 1), (2, 2, True, "2024-01-01 00:00:00+00", 1, 1, 1)]


@pytest.mark.parametrize("remote", [False, True])
def test_parquet_values_are_loaded_with_their_types(duck: Any, schema: Any, parquet: Any, *, remote: bool) -> None:
    url = parquet(
        "SELECT 1 AS id, 'é' AS name, 12345678901234567.89::DECIMAL(38,2) AS amount, 0.1::DOUBLE AS number,"
        " true AS flag, TIMESTAMPTZ '2024-01-01 02:00:00+02' AS at, DATE '2024-02-29' AS day,"
        " {'x': 1.5, 'l': [1, NULL]} AS more UNION ALL SELECT 2, '', NULL, NULL, NULL, NULL, NULL, NULL"
    )
    if remote:
        memory = fsspec.filesystem("memory")
        memory.put_file(url, "/there/x.parquet")
        url = "memory://there/x.parquet"
    duck.load(schema("s", COLUMNS, ["id"]), _make_batch(url, format_="parquet"))
    assert list(duck.types("s").values()) == [
        "BIGINT", "VARCHAR", "DECIMAL(38,10)", "DOUBLE", "BOOLEAN", "TIMESTAMP WITH TIME ZONE", "DATE", "JSON",
    ]  # fmt: skip
    text = 'CAST("at" AS VARCHAR) AS "at", CAST(day AS VARCHAR) AS day'
    assert duck.query(f"SELECT * REPLACE ({text}) FROM s ORDER BY id") == [
        (1, "é", Decimal("12345678901234567.89"), 0.1, True, "2024-01-01 00:00:00+00", "2024-02-29",
         '{"x":1.5,"l":[1,null]}'),
        (2, "", None, None, None, None, None, None),
    ]  # fmt: skip
    assert list(duck.spool.iterdir()) == []


def test_parquet_types_wider_than_the_schema_widen_columns(duck: Any, schema: Any, parquet: Any) -> None:
    url = parquet(
        "SELECT 1::UTINYINT AS id, 5.0::DOUBLE AS whole, 0.5::FLOAT AS part, 9007199254740993 AS number,"
        " '\\xAA\\xBB'::BLOB AS bytes, '2024-01-01 10:00:00.1234567'::TIMESTAMP_NS AS at,"
        " '{\"a\": 1.50}'::JSON AS more,"
        " 'nan'::DOUBLE AS nothing, MAP {'k': 1} AS name"
    )
    names = {"whole": INTEGER, "part": INTEGER, "bytes": STRING, "nothing": {"type": "number"}}
    duck.load(schema("s", {**COLUMNS, **names}, ["id"]), _make_batch(url, format_="parquet"))
    row = duck.query('SELECT id, whole, part, number, bytes, "at"::VARCHAR, more, isnan(nothing), name FROM s')
    assert row == [
        (1, 5, "0.5", "9007199254740993", "qrs=", "2024-01-01 10:00:00.123456+00", '{"a": 1.50}', True, '{"k":1}')
    ]


def test_deletion_marks_in_batch_files_update_only_their_field(
    duck: Any, schema: Any, record: Any, parquet: Any
) -> None:
    head = schema("s", {"id": INTEGER, "name": STRING}, ["id"])
    duck.load(head, record("s", {"id": 1, "name": "a"}), record("s", {"id": 2, "name": "b"}))
    url = str(duck.folder / "a.jsonl")
    _write_lines(url, ['{"id": 1, "_sdc_deleted_at": "2024-01-01T00:00:00Z"}'])
    other = parquet("SELECT 2 AS id, NULL::VARCHAR AS name, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS _sdc_deleted_at")
    duck.load(head, _make_batch(url), _make_batch(other, format_="parquet"))
    assert duck.query("SELECT id, name FROM s WHERE _sdc_deleted_at = '2024-01-01' ORDER BY 1") == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            ['{"id": 1}', '{"name": "secret"}'],
            "record 2 of file 2 of its manifest: its record has no value for the key",
        ),
        (['{"id": 1}', '{"id": "secret"'], "record 2 of file 2 of its manifest: it is not JSON."),
        (['["secret"]'], "record 1 of file 2 of its manifest: its record is not an object."),
    ],
)
def test_invalid_batch_record_error_has_its_location(duck: Any, schema: Any, rows: list[str], reason: str) -> None:
    files = [str(duck.folder / name) for name in ("secret1", "secret2")]
    _write_lines(files[0], ['{"id": 1}'])
    _write_lines(files[1], rows)
    with pytest.raises(TargetError) as caught:
        duck.load(schema("s", {"id": INTEGER, "name": STRING}, ["id"]), _make_batch(*files), on_bad_record="fail")
    assert str(caught.value).startswith(f"Line 2 of the input cannot be loaded: {reason}")
    assert "secret" not in str(caught.value)
    assert duck.tables() == []


@pytest.mark.parametrize(
    ("format_", "compression", "packed"),
    [
        ("jsonl", "gzip", gzip),
        ("jsonl", None, gzip),
        ("jsonl", "bz2", bz2),
        ("jsonl", "xz", lzma),
        ("parquet", None, gzip),
    ],
)
def test_damaged_file_is_an_error(
    *, duck: Any, schema: Any, format_: str, compression: str | None, packed: Any, parquet: Any
) -> None:
    path = duck.folder / "secret"
    row = b'{"id": 1}\n'
    with open(parquet("SELECT 1 AS id"), "rb") as file:  # noqa: PTH123 - its name is text
        cut_short = file.read()[:-9]
    rest = [b"no such thing", b""] if compression or format_ == "parquet" else []
    for data in (*rest, packed.compress(row * 99)[:-9], packed.compress(row * 99_999)[:-99], cut_short):
        path.write_bytes(data)
        with pytest.raises(TargetError, match=r"file 1 of its manifest cannot be read \(\w+\): it is damaged"):
            duck.load(schema("s", {"id": INTEGER}, ["id"]), _make_batch(path, format_=format_, compression=compression))
        assert duck.tables() == []


def test_file_truncated_inside_a_record_is_an_error(duck: Any, schema: Any) -> None:
    path = duck.folder / "a.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": 2')
    with pytest.raises(TargetError, match=r"record 2 of file 1 of its manifest: it is not JSON\.$"):
        duck.load(schema("s", {"id": INTEGER}, ["id"]), _make_batch(path))


@pytest.mark.parametrize("label", [None, "gzip", "bz2", "parquet"])
@pytest.mark.parametrize("packed", [None, gzip, bz2, lzma, "parquet"])
def test_file_is_read_in_its_actual_format(
    *, duck: Any, schema: Any, parquet: Any, label: str | None, packed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = duck.folder / "a"
    rows = b'\xef\xbb\xbf {"id": 1}\n{"id": 2}'
    if packed == "parquet":
        path = parquet("SELECT unnest([1, 2]) AS id")
    else:
        path.write_bytes(packed.compress(rows) if packed else rows)
    encoding = {"format_": "parquet"} if label == "parquet" else {"compression": label}
    messages = [schema("s", {"id": INTEGER}, ["id"]), _make_batch(path, **encoding)]
    if label == "parquet" != packed:
        with pytest.raises(TargetError, match=r"cannot be read \(\w+\): it is damaged, does not match its encoding"):
            duck.load(*messages)
        return
    duck.load(*messages)
    assert duck.query("SELECT id FROM s ORDER BY 1") == [(1,), (2,)]
    assert ("does not match its encoding" in caplog.text) == (
        label != {gzip: "gzip", bz2: "bz2", lzma: "xz"}.get(packed, packed)
    )


def test_empty_file(duck: Any, schema: Any) -> None:
    path = duck.folder / "a.jsonl"
    path.write_bytes(b"")
    duck.load(schema("s", {"id": INTEGER}, ["id"]), _make_batch(path))
    assert duck.query("SELECT count(*) FROM s") == [(0,)]


@pytest.mark.parametrize("compressed", [False, True])
def test_large_file_is_read_in_blocks(
    *, duck: Any, schema: Any, compressed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one_by_one = []
    add = Stream.add_record
    monkeypatch.setattr(Stream, "add_record", lambda self, message: one_by_one.append(message) or add(self, message))
    rows = [f'{{"id": {n}, "name": "{"x" * 50}", "more": {{"n": {n}.50}}}}' for n in range(5000)]
    rows[3000] = '{"id": "3000", "name": 1}'  # its block is loaded one by one
    data = ("\n".join(rows) + "\n").encode()
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(data) if compressed else data)
    head = schema("s", {"id": INTEGER, "name": STRING, "more": {"type": "object"}}, ["id"])
    message = _make_batch(path, version=7, time_extracted="2024-01-01T00:00:00Z")
    states = duck.load(head, message, STATE, add_metadata_columns=True, batch_size_rows=1234)
    assert len(states) == 1
    assert 0 < len(one_by_one) < 2000
    assert duck.query(
        "SELECT count(*), count(DISTINCT id), sum(length(name)), count(more), max(more) FROM s"
        " WHERE _sdc_table_version = 7 AND _sdc_extracted_at = '2024-01-01'"
    ) == [(5000, 5000, 4999 * 50 + 1, 4999, '{"n": 999.50}')]


def test_records_that_span_lines_are_an_error_in_jsonl_only(duck: Any, schema: Any, parquet: Any) -> None:
    head = schema("s", {"id": INTEGER, "more": {"type": "object"}}, ["id"])
    rows = [f'{{"id": {n}, "more": {{}}}}' for n in range(3)]
    path = duck.folder / "a"
    path.write_text("\n".join([*rows, '{"id": 3, "more": {"a":', '1}} {"id": 4, "more": {}}', *rows]))
    with pytest.raises(TargetError, match=r"record 4 of file 1 of its manifest: it is not JSON\.$"):
        duck.load(head, _make_batch(path))
    url = parquet("SELECT unnest([1, 2]) AS id, '{\"a\":\n1}'::JSON AS more")
    duck.load(head, _make_batch(url, format_="parquet"))
    assert duck.query("FROM s ORDER BY id") == [(1, '{"a":\n1}'), (2, '{"a":\n1}')]


def test_files_are_removed_after_the_commit(
    duck: Any, schema: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [duck.folder / name for name in ("a", "b", "empty")]
    for number, path in enumerate(paths):
        path.write_text("" if path.name == "empty" else "\n".join(f'{{"id": {number * 10 + n}}}' for n in range(10)))
    messages = [schema("s", {"id": INTEGER}, ["id"]), *(_make_batch(path.as_uri()) for path in paths[:2]), STATE]
    with monkeypatch.context() as patch:
        patch.setattr(Loader, "_write_state", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            duck.load(*messages, remove_batch_files=True, batch_size_rows=15)
    assert [path.exists() for path in paths] == [False, True, True]  # the first 15 rows were committed without a state
    paths[0].write_text('{"id": 0}')
    duck.load(*messages)
    assert all(path.exists() for path in paths)
    duck.load(*messages, _make_batch(paths[2]), remove_batch_files=True, batch_size_rows=15)
    assert not any(path.exists() for path in paths)
    assert duck.query("SELECT count(*) FROM s") == [(20,)]
    assert "cannot be removed" not in caplog.text
