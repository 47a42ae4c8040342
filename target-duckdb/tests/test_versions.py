"""Versions never decrease: overlapping full reads, and records without a version, mark no live row as deleted."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

INTEGER = {"type": ["null", "integer"]}
HEAD = {
    "type": "SCHEMA",
    "stream": "s",
    "schema": {"properties": {"id": INTEGER, "v": INTEGER}},
    "key_properties": ["id"],
}


def _make_row(number: int, version: int | None, value: int = 0) -> dict[str, Any]:
    message = {"type": "RECORD", "stream": "s", "record": {"id": number, "v": value}}
    return message if version is None else {**message, "version": version}


def _activate_version(version: int) -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}


def _live_ids(duck: Any) -> list[int]:
    return [number for (number,) in duck.query("SELECT id FROM s WHERE _sdc_deleted_at IS NULL ORDER BY 1")]


def _list_interleavings(one: list[Any], other: list[Any]) -> Any:
    """Returns all interleavings of the messages of two runs."""
    for places in itertools.combinations(range(len(one) + len(other)), len(one)):
        first, second = iter(one), iter(other)
        yield [next(first) if place in places else next(second) for place in range(len(one) + len(other))]


@pytest.mark.parametrize("hard", [False, True])
def test_overlapping_full_reads_delete_no_common_row(*, duck: Any, hard: bool) -> None:
    older = [_make_row(1, 10), _make_row(2, 10), _activate_version(10)]
    newer = [_make_row(1, 20), _make_row(2, 20), _activate_version(20)]
    orders = [
        [HEAD, _make_row(1, 5), _make_row(2, 5), _make_row(3, 5), _activate_version(5), *order]
        for order in [*_list_interleavings(older, newer)][::2]
    ]
    steps = zip(*orders, strict=True)  # one stream per order, with each step of all streams in about one batch
    messages = [{**message, "stream": f"s{n}"} for step in steps for n, message in enumerate(step)]
    duck.load(*messages, batch_size_rows=len(orders) // 2, hard_delete=hard)
    for n in range(len(orders)):
        rows = duck.query(f"SELECT id, _sdc_table_version FROM s{n} WHERE _sdc_deleted_at IS NULL ORDER BY 1")
        assert rows == [(1, 20), (2, 20)], orders[n]
        assert duck.query(f"SELECT count(*) FROM s{n}") == [(2 if hard else 3,)]


@pytest.mark.parametrize("size", [1, 100])
def test_last_values_win(duck: Any, size: int) -> None:
    duck.load(
        HEAD,
        *(_make_row(1, version, value) for value, version in enumerate((20, 10, None, 30, 20, None))),
        *(_make_row(2, version, value) for value, version in enumerate((5, 10, None))),
        _make_row(3, None, 1),
        batch_size_rows=size,
    )
    assert duck.query("SELECT id, v, _sdc_table_version FROM s ORDER BY 1") == [(1, 5, 30), (2, 2, 10), (3, 1, 30)]


def test_changes_during_a_full_read_are_kept(duck: Any) -> None:
    duck.load(HEAD, _make_row(1, 10), _make_row(2, 10), _activate_version(10))
    duck.load(HEAD, _make_row(1, 20))
    duck.load(HEAD, _make_row(1, None, 1), _make_row(2, None, 1), _make_row(3, None, 1))  # an incremental run
    duck.load(HEAD, _make_row(2, 20), _activate_version(20))
    assert _live_ids(duck) == [1, 2, 3]
    duck.load(HEAD, _make_row(1, 30), _make_row(2, 30), _activate_version(30))
    assert _live_ids(duck) == [1, 2]


def test_rows_get_no_version_if_none_is_known(duck: Any) -> None:
    for _ in range(2):
        duck.load(HEAD, _make_row(1, None), _make_row(2, None), add_metadata_columns=True)
        assert duck.query("SELECT DISTINCT _sdc_table_version FROM s") == [(None,)]
    duck.load(HEAD, _make_row(1, 10), _activate_version(10))  # the full read deletes rows without a version
    assert _live_ids(duck) == [1]


def test_late_rows_are_live_until_a_newer_version_lacks_them(duck: Any) -> None:
    duck.load(HEAD, _make_row(1, 10), _make_row(2, 10), _activate_version(10))
    duck.load(HEAD, _make_row(1, 20), _activate_version(20))
    assert _live_ids(duck) == [1]
    duck.load(HEAD, _make_row(2, 10), _make_row(3, 10), _activate_version(10))
    assert _live_ids(duck) == [1, 2, 3]
    assert duck.query("SELECT _sdc_table_version FROM s ORDER BY id") == [(20,), (10,), (10,)]
    duck.load(HEAD, _make_row(1, 30), _activate_version(30))
    assert _live_ids(duck) == [1]


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("count", [1, 6])
def test_late_rows_in_the_same_run_are_live(
    *, duck: Any, size: int, hard: bool, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    older = [_make_row(number, 10, 1) for number in (1, *range(3, 2 + count))]
    duck.load(
        *(
            HEAD,
            _make_row(1, 10),
            _make_row(2, 10),
            _make_row(1, 20),
            _activate_version(20),
            *older,
            _activate_version(10),
        ),
        batch_size_rows=size,
        hard_delete=hard,
    )
    assert duck.query("SELECT id, v, _sdc_table_version FROM s WHERE _sdc_deleted_at IS NULL ORDER BY id") == [
        (1, 1, 20),
        *((number, 1, 10) for number in range(3, 2 + count)),
    ]
    assert len([entry for entry in caplog.records if "they are loaded" in entry.getMessage()]) == 1
    duck.load(HEAD, _make_row(1, 30), _activate_version(30), hard_delete=hard)
    assert _live_ids(duck) == [1]


@pytest.mark.parametrize("type_", ["VARCHAR", "HUGEINT", "DOUBLE", "INTEGER"])
def test_version_column_of_another_type_is_updated(duck: Any, type_: str) -> None:
    duck.query(f"CREATE TABLE s (id BIGINT, v BIGINT, _sdc_table_version {type_}, _sdc_deleted_at TIMESTAMPTZ)")
    duck.load(HEAD, _make_row(1, 9), _make_row(2, 10))
    duck.load(HEAD, _make_row(1, 10), _make_row(2, 9), _make_row(3, None))
    assert duck.query("SELECT CAST(_sdc_table_version AS INTEGER) FROM s ORDER BY id") == [(10,), (10,), (10,)]


@pytest.mark.parametrize("late", [_make_row(2, 10), _make_row(2, None)])
def test_overlapping_overwrites_lose_no_rows(duck: Any, late: Any) -> None:
    duck.load(HEAD, _make_row(1, 5), _make_row(2, 5), _activate_version(5), load_method="overwrite")
    duck.load(HEAD, _make_row(1, 10), load_method="overwrite")  # staged until the newer version starts
    duck.load(HEAD, _make_row(1, 20), load_method="overwrite")
    duck.load(HEAD, late, _activate_version(10), load_method="overwrite")
    assert _live_ids(duck) == [1, 2]
    duck.load(HEAD, _make_row(2, 20), _activate_version(20), load_method="overwrite")
    duck.load(HEAD, late, _activate_version(10), load_method="overwrite")
    assert _live_ids(duck) == [1, 2]
    assert duck.query("SELECT _sdc_table_version FROM s ORDER BY id") == [(20,), (20,)]


STATE = {"type": "STATE", "value": {}}


def _warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("size", [1, 100])
def test_version_sent_before_its_rows_is_activated_once_they_are_complete(*, duck: Any, hard: bool, size: int) -> None:
    duck.load(HEAD, _activate_version(10), _make_row(1, 10), _make_row(2, 10), _make_row(3, 10), STATE)
    assert _live_ids(duck) == [1, 2, 3]
    settings = {"batch_size_rows": size, "hard_delete": hard}
    duck.load(HEAD, _activate_version(20), _make_row(1, 20), STATE, _make_row(2, 20), **settings)  # the tap failed
    assert _live_ids(duck) == [1, 2, 3]
    duck.load(
        HEAD, _activate_version(30), STATE, HEAD, _activate_version(30), **settings
    )  # children of several parents; it failed
    assert _live_ids(duck) == [1, 2, 3]
    duck.load(
        HEAD,
        _activate_version(40),
        _make_row(1, 40),
        STATE,
        HEAD,
        _activate_version(40),
        _make_row(2, 40),
        STATE,
        **settings,
    )
    assert _live_ids(duck) == [1, 2]
    duck.load(HEAD, _activate_version(50), STATE, **settings)  # the source is empty
    assert _live_ids(duck) == []


def test_input_that_ends_without_a_state_deletes_nothing_and_warns(duck: Any, caplog: pytest.LogCaptureFixture) -> None:
    duck.load(HEAD, _make_row(1, 10), _make_row(2, 10), _activate_version(10))
    duck.load(HEAD, _activate_version(20), STATE, _make_row(2, 20))
    assert [warning.split(":")[-1] for warning in _warnings_in(caplog)] == [" s."]


def test_version_of_a_resumed_read_that_had_no_rows_left_is_activated(duck: Any) -> None:
    duck.load(HEAD, _make_row(1, 10), _make_row(2, 10), _activate_version(10), STATE)
    duck.load(HEAD, _make_row(1, 20), STATE)
    duck.load(HEAD, _activate_version(20), STATE, {**HEAD, "stream": "t"})  # another stream failed
    assert _live_ids(duck) == [1]


def test_records_rejected_after_their_version_was_sent_keep_older_rows(duck: Any) -> None:
    duck.load(HEAD, _make_row(1, 10), _make_row(2, 10), _activate_version(10))
    duck.load(HEAD, _activate_version(20), {**_make_row(1, 20), "record": {"v": 1}}, _make_row(2, 20), STATE)
    assert _live_ids(duck) == [1, 2]
