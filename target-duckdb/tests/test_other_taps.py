"""Messages of other taps, one file in `messages/` per case, and the SDK's test suite for targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite, target_tests
from singer_sdk.testing.target_tests import (
    TargetInvalidSchemaTest,
    TargetRecordBeforeSchemaTest,
    TargetRecordMissingKeyProperty,
)
from target_duckdb.target import TargetDuckDB

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

MESSAGES = Path(__file__).parent / "messages"

#: By file: the table, its columns, its rows, the STATE lines' last.
CASES: dict[str, list[tuple[str, dict[str, str], list[tuple[Any, ...]]]]] = {
    "smoke_test": [
        (
            "animals",
            {
                "id": "BIGINT", "description": "VARCHAR", "verified": "BOOLEAN", "views": "BIGINT",
                "created_at": "TIMESTAMPTZ",
            },
            [
                (1, "Red-headed woodpecker", False, 10, "2021-09-21 16:02:15.1+00"),
                (2, "Nilgai antelope", True, 20, "2021-09-22 16:02:15.2+00"),
                (3, "", False, 30, "2021-09-23 16:02:15.3+00"),
                (4, None, True, 40, "2021-09-24 16:02:15.4+00"),
            ],
        )
    ],
    "children_and_versions": [
        (
            "countries",
            {"code": "VARCHAR", "name": "VARCHAR", "languages": "JSON", "continent": "JSON"},
            [
                ("AD", "Andorra", '[{"code": "ca", "name": "Català"}]', '{"code": "EU"}'),
                ("AQ", None, "[]", None),
            ],
        ),
        (
            "cities",
            {"country": "VARCHAR", "n": "BIGINT", "area": "DECIMAL(38,10)"},
            [("AD", 1, "12.5000000000"), ("AQ", 1, "12.5000000000")],
        ),
    ],
    "unicode": [
        (
            "чай-商店",
            {"ид": "BIGINT", "имя": "VARCHAR", "emoji 🦆": "VARCHAR", "Straße": "VARCHAR"},
            [
                (1, "Привет, мир", "👩\u200d👩\u200d👧\u200d👦", "\ufb03"),
                (2, "\u202ertl\u202c\u2028 \a", "e\u0301", "\ufeff"),
            ],
        )
    ],
    "reserved_names": [
        (
            "order",
            {
                "select": "BIGINT", "table": "VARCHAR", "from": "VARCHAR", "group": "BOOLEAN", "user": "VARCHAR",
                "primary": "DOUBLE", "rowid": "VARCHAR",
            },
            [(1, "T", "f", False, "u", 2.0, "R")],
        )
    ],
    "odd_names": [
        (
            "my schema-my table.v2",
            {
                "Customer ID": "BIGINT", "first name ": "VARCHAR", "a.b": "VARCHAR", "a-b": "VARCHAR", "1st": "VARCHAR",
                'say "hi"': "VARCHAR", "50%": "DOUBLE",
            },
            [(1, "x", "dot", "dash", "1", "q", 0.5)],
        )
    ],
    "nested_schema": [
        (
            "deep",
            {"id": "BIGINT", "a": "JSON", "list": "JSON", "any": "JSON", "either": "JSON", "one": "BIGINT"},
            [
                (
                    1, '{"b": {"c": [{"d": 1.50}, {"e": 12345678901234567.89}]}}', '[1, [2, {"x": null}], "3"]',
                    "1e400", '"text"', 1,
                ),
                (2, None, "[]", "[]", '{"x": 1}', None),
            ],
        )
    ],
    "logical_replication": [
        (
            "accounts",
            {"id": "BIGINT", "name": "VARCHAR", "_sdc_lsn": "BIGINT", "_sdc_table_version": "BIGINT"},
            [(1, "again", 108, 5), (2, "changed", 104, 5), (3, "a3", 105, 5), (4, "new", 106, 5)],
        )
    ],
    "modified_columns": [
        (
            "items",
            {"id": "BIGINT", "size": "VARCHAR", "made": "VARCHAR", "old": "VARCHAR", "new": "DOUBLE"},
            [
                (1, "1", "2024-03-01 10:00:00+00", "x", None),
                (2, "XL", "last spring", None, 0.5),
                (3, "s", "2024-03-01 10:00:00+00", None, 7.0),
            ],
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("size", "runs"), [(100_000, 1), (1, 2)])
def test_messages_of_other_taps_are_loaded(*, duck: Any, case: str, size: int, runs: int) -> None:
    messages = (MESSAGES / f"{case}.singer").read_bytes()
    for _ in range(runs):
        states = duck.load(messages, batch_size_rows=size)
    for table, columns, rows in CASES[case]:
        types = {
            name: type_.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") for name, type_ in duck.types(table).items()
        }
        assert {name: types.get(name) for name in columns} == columns
        as_text = {"TIMESTAMPTZ", "DECIMAL(38,10)"}
        names = ['"' + name.replace('"', '""') + '"' for name in columns]
        values = [
            f"CAST({name} AS VARCHAR)" if type_ in as_text else name
            for name, type_ in zip(names, columns.values(), strict=True)
        ]
        assert duck.query(f'SELECT {", ".join(values)} FROM "{table}" ORDER BY 1, 2') == rows
    sent = [json.loads(line)["value"] for line in messages.splitlines() if json.loads(line)["type"] == "STATE"]
    assert [json.loads(state) for state in states[-1:]] == sent[-1:]


def test_every_message_file_has_a_case() -> None:
    assert {path.stem for path in MESSAGES.iterdir()} == set(CASES)


def test_deletions_of_logical_replication_are_applied(duck: Any) -> None:
    duck.load((MESSAGES / "logical_replication.singer").read_bytes())
    assert duck.query("SELECT id FROM accounts WHERE _sdc_deleted_at IS NOT NULL") == [(3,)]
    duck.load((MESSAGES / "logical_replication.singer").read_bytes(), hard_delete=True)
    assert duck.query("SELECT id FROM accounts ORDER BY id") == [(1,), (2,), (4,)]


def test_very_long_text_is_loaded(duck: Any, schema: Any, record: Any) -> None:
    text = 'äöü\\"\n' * 3_000_000
    duck.load(
        schema("s", {"id": {"type": "integer"}, "text": {"type": "string"}}, ["id"]),
        record("s", {"id": 1, "text": text}),
    )
    assert duck.query("SELECT text FROM s") == [(text,)]


# The SDK's suite

CONFIG: dict[str, Any] = {}
#: The first two of these want exceptions of the SDK's; here they are sentences, which have their tests. The third
#: wants a schema without properties to be an error; here its rows are counted.
OTHER_ANSWERS = {TargetRecordBeforeSchemaTest, TargetRecordMissingKeyProperty, TargetInvalidSchemaTest}
SUITE = SingerTestSuite(
    kind="target",
    tests=[test for test in target_tests.tests if test not in OTHER_ANSWERS],
)
StandardSuite = get_target_test_class(
    TargetDuckDB,
    config=CONFIG,
    custom_suites=[SUITE],
    suite_config=SuiteConfig(),
    include_target_tests=False,
    parse_env_config=False,
)


class TestStandard(StandardSuite):  # type: ignore[misc, valid-type]
    """The SDK's tests for targets."""

    @pytest.fixture(autouse=True)
    def _own_file(self, tmp_path: Path) -> Iterator[None]:
        CONFIG.update(path=str(tmp_path / "standard.duckdb"))
        yield
        CONFIG.clear()
