"""What the taps write, in the loaders of others: every row and value, deletions, a privacy profile, limits of a loader.

Only `make test-elsewhere` runs these tests: it installs each loader in an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import jsonschema_rs
import pytest
from hr_sandbox.testing import running

from tests.helpers import code_blocks, tap_settings
from tests.postgres_server import query, running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.elsewhere

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
LOADERS = Path(sys.prefix) / "loaders"
GUIDE = ROOT / "docs" / "how-to" / "warehouse.md"
VENDORS = ("personio", "factorial", "cornerstone")
LOADER_NAMES = ("postgres", "jsonl", "parquet")
LIMIT = 580
"""Seconds that a tap or a loader may take."""

BEYOND_DOUBLES = 2**53 + 1
LARGEST_BIGINT = 2**63 - 1
PERSON = "Ada Zqxlovelace"

Row = dict[str, Any]


@dataclass
class Output:
    """What a tap wrote to stdout.

    Attributes:
        path: The file that holds it.
        schemas: The last SCHEMA message of each stream.
        records: The records of each stream, in their order.
        versions: Number of ACTIVATE_VERSION messages of each stream.
    """

    path: Path
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: dict[str, list[Row]] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for line in self.path.read_text().splitlines():
            message = json.loads(line, parse_float=Decimal)
            stream = message.get("stream")
            if message["type"] == "SCHEMA":
                self.schemas[stream] = message
                self.records.setdefault(stream, [])
            elif message["type"] == "RECORD":
                self.records[stream].append(message["record"])
            elif message["type"] == "ACTIVATE_VERSION":
                self.versions[stream] += 1

    def key(self, stream: str) -> list[str]:
        """Returns the columns of a stream's key."""
        return list(self.schemas[stream]["key_properties"])

    def columns(self, stream: str) -> dict[str, dict[str, Any]]:
        """Returns the schema of each column."""
        return dict(self.schemas[stream]["schema"]["properties"])

    def rows(self, stream: str) -> list[Row]:
        """Returns the rows that a table should hold: the last record of each key."""
        key = self.key(stream)
        if not key:
            return self.records[stream]
        return list({tuple(str(row[name]) for name in key): row for row in self.records[stream]}.values())


@dataclass
class Taps:
    """Runs the taps against a sandbox, with everything on."""

    sandbox: Sandbox
    folder: Path
    full_reads: dict[str, tuple[Output, dict[str, int]]] = field(default_factory=dict)

    def read_everything(self, vendor: str) -> tuple[Output, dict[str, int]]:
        """Runs a tap once for all loaders. Returns its output, and how many rows the sandbox had."""
        if vendor not in self.full_reads:
            self.full_reads[vendor] = self.run(vendor, "everything"), self.sandbox.counts(vendor)
        return self.full_reads[vendor]

    def run(self, vendor: str, name: str, only: Iterable[str] = (), **settings: Any) -> Output:
        """Runs a tap, and keeps its output.

        Args:
            vendor: The tap's vendor.
            name: Name of the run.
            only: Streams to read; by default all.
            **settings: More settings of the tap.
        """
        config, output = self.folder / f"{vendor}-{name}.json", self.folder / f"{vendor}-{name}.singer"
        config.write_text(json.dumps(tap_settings(vendor, self.sandbox.url) | settings))
        command = [BIN / f"tap-{vendor}", "--config", config]
        if only:
            found = subprocess.run([*command, "--discover"], capture_output=True, check=True, timeout=LIMIT)
            catalog = self.folder / f"{vendor}-{name}-catalog.json"
            streams = [one for one in json.loads(found.stdout)["streams"] if one["tap_stream_id"] in only]
            catalog.write_text(json.dumps({"streams": streams}))
            command += ["--catalog", catalog]
        with output.open("wb") as file:
            done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False, timeout=LIMIT)
        assert done.returncode == 0, done.stderr[-2000:]
        return Output(output)


@pytest.fixture(scope="module")
def taps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taps]:
    with running(employees=12, requests_per_minute=600_000) as sandbox:
        yield Taps(sandbox, tmp_path_factory.mktemp("taps"))


def program(name: str) -> Path:
    path = LOADERS / name / "bin" / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: run `make test-elsewhere`")
    return path


def load(program: Path, config: Path, output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Loads a tap's output."""
    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    with output.open("rb") as messages:
        return subprocess.run(
            [program, "--config", config],
            stdin=messages,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
            cwd=config.parent,
            env={**inherited, **environment},
        )


class Loader(Protocol):
    """A loader, and what its tables hold."""

    name: str
    keeps_every_record: bool
    """Whether earlier records of a key stay."""

    def load(self, output: Path, schema: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Loads a tap's output into a schema or folder."""

    def tables(self, schema: str) -> dict[str, list[Row]]:
        """Returns the rows of all tables that are not empty, deleted rows too."""


@dataclass
class Postgres:
    """target-postgres, and a PostgreSQL server in a temporary folder."""

    folder: Path
    port: int
    use_copy: bool = True
    sanitize: bool = True
    name: str = "target-postgres"
    keeps_every_record: bool = False

    def load(self, output: Path, schema: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "hr",
            "password": "not checked",
            "database": "postgres",
            "default_target_schema": schema,
            "use_copy": self.use_copy,
            "sanitize_null_text_characters": self.sanitize,
        }
        config = self.folder / f"{schema}.json"
        config.write_text(json.dumps(settings))
        return load(program(self.name), config, output, **environment)

    def query(self, sql: str) -> list[Any]:
        """Returns the first column of each row, which is JSON without line breaks."""
        return [json.loads(line, parse_float=Decimal) for line in query(self.port, sql)]

    def column_types(self, schema: str) -> dict[str, dict[str, str]]:
        """Returns the type of each column of each table."""
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self.query(
            "SELECT json_build_array(table_name, column_name, data_type) FROM information_schema.columns "
            f"WHERE table_schema = '{schema}'"
        ):
            found.setdefault(table, {})[column] = kind
        return found

    def tables(self, schema: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        sql = "".join(
            f"SELECT json_build_object('table', '{table}', 'row', one) FROM {schema}.\"{table}\" one;\n"
            for table in self.column_types(schema)
        )
        for line in self.query(sql):
            found.setdefault(line["table"], []).append(line["row"])
        return found


@dataclass
class JsonLines:
    """target-jsonl, which appends to a file per stream."""

    folder: Path
    name: str = "target-jsonl"
    keeps_every_record: bool = True

    def load(self, output: Path, schema: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (self.folder / schema).mkdir(exist_ok=True)
        config = self.folder / f"{schema}.json"
        config.write_text(json.dumps({"destination_path": str(self.folder / schema), "do_timestamp_file": False}))
        return load(program(self.name), config, output, **environment)

    def tables(self, schema: str) -> dict[str, list[Row]]:
        return {
            path.stem: [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]
            for path in (self.folder / schema).iterdir()
        }


@dataclass
class Parquet:
    """target-duckdb, and its tables as Parquet files."""

    folder: Path
    name: str = "target-duckdb and Parquet"
    keeps_every_record: bool = False

    def load(self, output: Path, schema: str, **environment: str) -> subprocess.CompletedProcess[str]:
        config = self.folder / f"{schema}.json"
        database = self.folder / f"warehouse-{schema}.duckdb"
        config.write_text(json.dumps({"path": str(database), "default_target_schema": schema}))
        done = load(BIN / "target-duckdb", config, output, **environment)
        export = [BIN / "hr-export", "parquet", "--database", database, "--to", self.folder / schema]
        subprocess.run(export, check=True, timeout=LIMIT)
        return done

    def tables(self, schema: str) -> dict[str, list[Row]]:
        found = {}
        manifest = json.loads((self.folder / schema / "manifest.json").read_text())
        with duckdb.connect() as connection:
            for table in manifest["tables"]:
                (file,) = table["files"]
                path = self.folder / schema / file["path"]
                # JSON is text in the copy.
                types = {
                    one["name"]: "JSON" if one["source_type"] == "JSON" else one["type"] for one in table["columns"]
                }
                casts = [f'"{name}"::{kind} AS "{name}"' for name, kind in types.items()]
                rows = f"SELECT {', '.join(casts)} FROM read_parquet('{path}')"
                lines = connection.sql(f"SELECT to_json(one) FROM ({rows}) one").fetchall()
                if lines:
                    found[table["name"]] = [json.loads(line, parse_float=Decimal) for (line,) in lines]
        return found


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server of the distribution on a free port, in a temporary folder."""
    with running_postgres() as port:
        yield Postgres(tmp_path_factory.mktemp("postgres"), port)


def make_loader(name: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loader:
    if name == "postgres":
        return request.getfixturevalue("postgres")  # type: ignore[no-any-return]
    folder = tmp_path_factory.mktemp(name)
    return JsonLines(folder) if name == "jsonl" else Parquet(folder)


@pytest.fixture(params=LOADER_NAMES)
def loader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loader:
    return make_loader(request.param, request, tmp_path_factory)


@dataclass
class Loaded:
    """Everything of a vendor, in a loader's tables."""

    vendor: str
    output: Output
    loader: Loader
    schema: str


@pytest.fixture(
    scope="module", params=[(vendor, loader) for vendor in VENDORS for loader in LOADER_NAMES], ids="-".join
)
def loaded(request: pytest.FixtureRequest, taps: Taps, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    vendor, name = request.param
    output, _ = taps.read_everything(vendor)
    loader = make_loader(name, request, tmp_path_factory)
    done = loader.load(output.path, f"tap_{vendor}")
    assert done.returncode == 0, done.stderr[-2000:]
    return Loaded(vendor, output, loader, f"tap_{vendor}")


def plain(value: Any, schema: dict[str, Any]) -> Any:
    """Returns the value of a column in a form that is the same however a loader stores it."""
    types = schema.get("type", ())
    holds_json = not types or ("string" not in types and not {"object", "array"}.isdisjoint(types))
    if isinstance(value, str) and holds_json:
        try:
            value = json.loads(value, parse_float=Decimal)
        except ValueError:
            return value
    if isinstance(value, str) and schema.get("format") == "date-time":
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, bool):  # which equals a number
        return str(value)
    if isinstance(value, str) and schema.get("format") == "time":
        return datetime.fromisoformat(f"2000-01-01T{value}")
    return value


def differences(output: Output, stream: str, found: list[Row], *, keeps_every_record: bool) -> list[str]:
    """Returns the columns in which rows differ from those that a tap wrote, without values."""
    columns = output.columns(stream)
    sent = output.records[stream] if keeps_every_record else output.rows(stream)
    if len(sent) != len(found):
        return [f"{stream}: {len(sent)} rows sent, {len(found)} found"]

    def order(row: Row) -> list[str]:
        return [str(plain(row.get(name), columns[name])) for name in output.key(stream) or sorted(columns)]

    pairs = zip(*([*rows] if keeps_every_record else sorted(rows, key=order) for rows in (sent, found)), strict=True)
    return [
        f"{stream}.{name}"
        for one, other in pairs
        for name, schema in columns.items()
        if plain(one.get(name), schema) != plain(other.get(name), schema)
    ]


def own_columns(row: Iterable[str]) -> set[str]:
    return {name for name in row if not name.startswith("_sdc_")}


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_record_fits_its_schema(taps: Taps, vendor: str) -> None:
    output, counts = taps.read_everything(vendor)
    for stream, records in output.records.items():
        validator = jsonschema_rs.validator_for(output.schemas[stream]["schema"])
        columns = output.columns(stream)
        for record in records:
            errors = validator.iter_errors(json.loads(json.dumps(record, default=float)))
            assert [error.instance_path for error in errors] == [], stream
            assert all(record[name] is not None for name in output.key(stream)), stream
            assert record.keys() <= columns.keys(), stream
            times = [value for name, value in record.items() if columns[name].get("format") == "date-time" and value]
            assert [value for value in times if not value.endswith("Z")] == [], "target-postgres drops offsets"
        # The sandbox counts the lines of complete reports, without the separate copies of warnings and errors.
        counted = [row for row in records if stream != "bulk_import_reports" or row["kind"] == "report"]
        assert len(counted) == counts[stream], stream


def test_every_row_and_value_arrives(loaded: Loaded) -> None:
    output, loader = loaded.output, loaded.loader
    tables = loader.tables(loaded.schema)
    assert tables.keys() == {stream for stream, records in output.records.items() if records}
    found = []
    for stream, rows in tables.items():
        # A table has a column for each field, a file has those that were sent.
        expected = output.records[stream] if loader.keeps_every_record else [output.columns(stream)]
        assert {name for row in rows for name in own_columns(row)} == {
            name for row in expected for name in own_columns(row)
        }, stream
        found += differences(output, stream, rows, keeps_every_record=loader.keeps_every_record)
    rows = sum(map(len, tables.values()))
    summary = f"{loader.name}, {loaded.vendor}: {len(output.schemas)} streams, {rows} rows, {len(found)} differences"
    print(summary)  # noqa: T201  shown by `make test-elsewhere`
    assert Counter(found) == {}


DELETED = {
    "personio": ("absence_periods", "delete", {"kind": "absence_period"}),
    "factorial": ("posts_comments", "factorial/delete", {"stream": "posts_comments"}),
    "cornerstone": ("user_ou_core", "cornerstone/delete", {"stream": "user_ou_core"}),
}


def test_deletions_arrive(taps: Taps, loaded: Loaded) -> None:
    loader, (stream, control, arguments) = loaded.loader, DELETED[loaded.vendor]
    key = loaded.output.key(stream)
    before = loader.tables(loaded.schema)[stream]
    live = taps.run(loaded.vendor, "before", only=[stream]).rows(stream)
    taps.sandbox.control(control, **arguments, id=",".join(str(live[0][name]) for name in key))
    output = taps.run(loaded.vendor, "after", only=[stream])
    assert output.versions[stream]
    done = loader.load(output.path, loaded.schema)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = loader.tables(loaded.schema)[stream]
    if loader.keeps_every_record:  # it knows no versions, and appends what is sent
        assert "Unknown message type ACTIVATE_VERSION" in done.stderr
        assert len(rows) == len(before) + len(output.records[stream])
        return
    deleted = [row for row in rows if row["_sdc_deleted_at"]]
    assert differences(output, stream, [row for row in rows if row not in deleted], keeps_every_record=False) == []
    sent = {tuple(row[name] for name in key) for row in output.rows(stream)}
    assert {tuple(row[name] for name in key) for row in deleted} == {
        tuple(row[name] for name in key) for row in loaded.output.rows(stream)
    } - sent
    assert deleted


def messages(folder: Path, values: Row) -> Output:
    """Writes a row with a key, a name and a value."""
    properties = {
        "id": {"type": "integer"},
        "name": {"type": ["null", "string"]},
        "value": {"type": ["null", "integer" if isinstance(values.get("value"), int) else "string"]},
        "nested": {"type": ["null", "object"]},
    }
    schema = {"type": "SCHEMA", "stream": "rows", "key_properties": ["id"], "schema": {"properties": properties}}
    record = {"type": "RECORD", "stream": "rows", "record": {"id": 1, "name": PERSON, "nested": None} | values}
    path = folder / "messages.singer"
    path.write_text(f"{json.dumps(schema)}\n{json.dumps(record)}\n")
    return Output(path)


def test_ids_beyond_doubles_stay_exact(tmp_path: Path, loader: Loader) -> None:
    row = {"id": BEYOND_DOUBLES, "value": LARGEST_BIGINT, "nested": {"id": BEYOND_DOUBLES}}
    output = messages(tmp_path, row)
    done = loader.load(output.path, "large")
    assert done.returncode == 0, done.stderr[-2000:]
    assert differences(output, "rows", loader.tables("large")["rows"], keeps_every_record=False) == []


@pytest.mark.parametrize("value", [2**64 - 1, "a\0b"])
@pytest.mark.parametrize("use_copy", [False, True])
def test_a_failed_insert_logs_rows_unless_the_log_is_configured(
    tmp_path: Path, postgres: Postgres, value: Any, *, use_copy: bool
) -> None:
    loader = Postgres(tmp_path, postgres.port, use_copy=use_copy, sanitize=False)
    output = messages(tmp_path, {"value": value})
    schema = f"failed_{isinstance(value, int)}_{use_copy}".lower()
    done = loader.load(output.path, schema)
    assert done.returncode == 1
    assert (PERSON in done.stderr) == (not use_copy)
    assert (str(value) in done.stderr) == isinstance(value, int)
    (logging,) = [text for text in code_blocks(GUIDE, "yaml") if "handlers" in text]
    (tmp_path / "logging.yaml").write_text(logging)
    done = loader.load(output.path, schema, SINGER_SDK_LOG_CONFIG=str(tmp_path / "logging.yaml"))
    assert done.returncode == 1
    assert PERSON not in done.stderr
    assert str(value) not in done.stderr
    assert '"status":"failed"' in done.stderr


@pytest.mark.parametrize("value", [2**64 - 1, "a\0b"])
@pytest.mark.parametrize("loader", ["jsonl", "parquet"], indirect=True)
def test_other_loaders_keep_what_postgres_cannot(tmp_path: Path, loader: Loader, value: Any) -> None:
    output = messages(tmp_path, {"value": value})
    done = loader.load(output.path, "limits")
    assert done.returncode == 0, done.stderr[-2000:]
    assert differences(output, "rows", loader.tables("limits")["rows"], keeps_every_record=False) == []


def test_nul_is_replaced_but_not_deep_within_objects(tmp_path: Path, postgres: Postgres) -> None:
    loader = Postgres(tmp_path, postgres.port)
    done = loader.load(messages(tmp_path, {"value": "a\0b", "nested": {"text": "a\0b"}}).path, "sanitized")
    assert done.returncode == 0, done.stderr[-2000:]
    (row,) = loader.tables("sanitized")["rows"]
    assert (row["value"], row["nested"]) == ("a\ufffdb", {"text": "a\ufffdb"})
    assert loader.load(messages(tmp_path, {"nested": {"inner": {"text": "a\0b"}}}).path, "sanitized").returncode == 1


def test_missing_objects_are_null_of_jsonb(tmp_path: Path, postgres: Postgres) -> None:
    assert postgres.load(messages(tmp_path, {"nested": None}).path, "nothing").returncode == 0
    assert postgres.query("SELECT json_build_array(nested IS NULL, nested) FROM nothing.rows") == [[False, None]]


def test_target_jsonl_logs_a_value_that_does_not_fit(tmp_path: Path) -> None:
    output = messages(tmp_path, {"nested": PERSON, "name": "Grace"})
    done = JsonLines(tmp_path).load(output.path, "unfit")
    assert done.returncode == 1
    assert PERSON in done.stderr
    assert "Grace" not in done.stderr


def test_offsets_of_times_are_dropped(tmp_path: Path, postgres: Postgres) -> None:
    path = tmp_path / "messages.singer"
    properties = {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}, "any": {}}
    schema = {"type": "SCHEMA", "stream": "rows", "key_properties": ["id"], "schema": {"properties": properties}}
    row = {"id": 1, "at": "2024-07-01T00:00:00+02:00", "any": {"a": 1}}
    record = {"type": "RECORD", "stream": "rows", "record": row}
    path.write_text(f"{json.dumps(schema)}\n{json.dumps(record)}\n")
    assert postgres.load(path, "times").returncode == 0
    assert [row["at"] for row in postgres.tables("times")["rows"]] == ["2024-07-01T00:00:00"]
    types = postgres.column_types("times")["rows"]
    assert (types["at"], types["any"]) == ("timestamp without time zone", "text")


def test_a_privacy_profile_reaches_postgres(tmp_path: Path, taps: Taps, postgres: Postgres) -> None:
    key = tmp_path / "privacy.key"
    key.touch(mode=0o600)
    key.write_text("k" * 48)
    people, transcripts = "users_core", "transcript_core"
    full = taps.run("cornerstone", "full", only=[people, transcripts])
    settings = {"privacy": "minimal", "privacy_key_file": str(key)}
    output = taps.run("cornerstone", "minimal", only=[people, transcripts], **settings)
    done = postgres.load(output.path, "tap_minimal")
    assert done.returncode == 0, done.stderr[-2000:]
    types, tables = postgres.column_types("tap_minimal"), postgres.tables("tap_minimal")
    for stream in (people, transcripts):
        assert own_columns(types[stream]) == own_columns(output.columns(stream)), stream
        assert differences(output, stream, tables[stream], keeps_every_record=False) == []
    dropped = {"user_name_first", "user_name_last"}
    assert dropped <= full.columns(people).keys()
    assert dropped.isdisjoint(types[people])
    assert "integer" in full.columns(people)["user_id"]["type"]
    assert types[people]["user_id"] == types[transcripts]["transc_user_id"] == "text"
    pseudonyms = {row["user_id"] for row in tables[people]}
    assert pseudonyms >= {row["transc_user_id"] for row in tables[transcripts]}
    ids = {row["user_id"] for row in full.rows(people)}
    assert pseudonyms & set(map(str, ids)) <= {str(one) for one in ids if one < 0}, (
        "accounts of the system are nobody's"
    )
