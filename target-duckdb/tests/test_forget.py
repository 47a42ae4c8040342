"""`target-duckdb forget`: a person is gone from all tables, from the bytes of the file, and from later loads."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from target_duckdb.erasure.forget import forget
from target_duckdb.errors import LockedTargetError, TargetError
from target_duckdb.plugin import ConfiguredTarget

if TYPE_CHECKING:
    from pathlib import Path

ADA, EVE = "ada.lovelace@firm.example", "eve@firm.example"
TEXT: dict[str, Any] = {"type": ["null", "string"]}
NOTHING_FOUND = "no row about such a person"


def _id(space: str, **more: Any) -> dict[str, Any]:
    return {**TEXT, "x-protection": "direct_id.id", "x-refers-to": {"space": space, "form": "id", **more}}


def _of(form: str, **more: Any) -> dict[str, Any]:
    return {**TEXT, "x-protection": f"direct_id.{form}", "x-refers-to": {"form": form, **more}}


def _schema(stream: str, properties: dict[str, Any], *keys: str) -> dict[str, Any]:
    properties = {name: {"x-protection": "technical", **part} for name, part in properties.items()}
    return {"type": "SCHEMA", "stream": stream, "schema": {"properties": properties}, "key_properties": list(keys)}


def _record(stream: str, **values: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": values}


MENTION = {"role": "mention"}
SUPERVISOR = {"type": ["null", "object"], "x-paths": {"id": _id("person", **MENTION), "name": _of("name", **MENTION)}}
PERSON = {"type": ["null", "object"], "properties": {"id": _id("person", **MENTION)}}
MEMBER = {"type": ["null", "object"], "properties": {"person": PERSON, "share": {"type": ["null", "number"]}}}
TEAM = {"type": ["null", "array"], "items": MEMBER}
LEADS = {**_id("person", **MENTION), "type": ["null", "array"], "items": TEXT}
SCHEMAS = [
    _schema(
        "persons",
        {
            "id": _id("person"),
            "email": _of("email"),
            "first_name": _of("name"),
            "last_name": _of("name"),
            "supervisor": SUPERVISOR,
        },
        "id",
    ),
    _schema(
        "absences",
        {
            "id": TEXT,
            "person_id": _id("person"),
            "approver_id": _id("person", **MENTION),
            "approver_full_name": _of("name", **MENTION),
            "comment": {**TEXT, "x-protection": "free_text"},
        },
        "id",
    ),
    _schema("days", {"id": TEXT, "absence_id": {**TEXT, "x-refers-to": {"form": "row", "stream": "absences"}}}, "id"),
    _schema(
        "teams",
        {"id": TEXT, "members": TEAM, "lead_ids": LEADS},
        "id",
    ),
    _schema(
        "values",
        {"id": TEXT, "owner_id": _id("person", when={"owner_type": "Person"}), "owner_type": TEXT, "value": TEXT},
        "id",
    ),
    _schema("reports", {"id": TEXT, "author": _of("name", **MENTION)}, "id"),
]


def _person(number: str, email: str, first_name: str, last_name: str, supervisor: Any) -> dict[str, Any]:
    return _record("persons", id=number, email=email, first_name=first_name, last_name=last_name, supervisor=supervisor)


def _absence(number: str, person: str, approver: str, name: str, comment: str | None) -> dict[str, Any]:
    return _record(
        "absences", id=number, person_id=person, approver_id=approver, approver_full_name=name, comment=comment
    )


MEMBERS = [{"person": {"id": "1"}}, {"person": {"id": "2"}, "share": 0.10}]
RECORDS = [
    _person("1", "Ada.Lovelace@firm.example", "Ada", "Lovelace", None),
    _person("2", EVE, "Eve", "Other", {"id": "1", "name": "Ada Lovelace"}),
    _person("3", "c@firm.example", "Cy", "Z", {"id": "2", "x": 1.50}),
    _absence("a1", "1", "2", "Eve Other", "Rest"),
    _absence("a2", "2", "1", "Ada Lovelace", "asked Ada Lovelace"),
    _absence("a3", "3", "2", "Eve Other", None),
    _record("days", id="d1", absence_id="a1"),
    _record("days", id="d2", absence_id="a2"),
    _record("teams", id="t1", members=MEMBERS, lead_ids=["1", "3"]),
    _record("teams", id="t2", members=[], lead_ids=["2"]),
    _record("values", id="v1", owner_id="1", owner_type="Person", value="Marker-of-Ada"),
    _record("values", id="v2", owner_id="1", owner_type="Team", value="of a team"),
    _record("reports", id="r1", author="Ada Lovelace"),
    _record("reports", id="r2", author="Eve Other"),
]
LEFT = {
    "persons": [("2", EVE, None), ("3", "c@firm.example", '{"id":"2","x":1.5}')],
    "absences": [("a2", "2", None, None), ("a3", "3", "2", "Eve Other")],
    "days": [("d2",)],
    "teams": [("t1", '[{"person":{"id":"2"},"share":0.1}]', '["3"]'), ("t2", "[]", '["2"]')],
    "values": [("v2", "1")],
    "reports": [("r1", None), ("r2", "Eve Other")],
}
COLUMNS = {
    "persons": "id, email, to_json(supervisor)::VARCHAR",
    "absences": "id, person_id, approver_id, approver_full_name",
    "days": "id",
    "teams": "id, to_json(members)::VARCHAR, to_json(lead_ids)::VARCHAR",
    "values": "id, owner_id",
    "reports": "id, author",
}


class File:
    """A loaded file, and `forget` on it."""

    def __init__(self, duck: Any) -> None:
        self.duck = duck
        self.key = duck.folder / "keys" / "tombstone.key"

    @property
    def path(self) -> Path:
        path: Path = self.duck.path
        return path

    def config(self, **settings: Any) -> dict[str, Any]:
        config: dict[str, Any] = self.duck.config(tombstone_key_file=str(self.key), **settings)
        return config

    def load(self, *messages: Any, **settings: Any) -> None:
        self.duck.load(*(messages or (*SCHEMAS, *RECORDS)), tombstone_key_file=str(self.key), **settings)

    def forget(self, person: str = ADA, **options: Any) -> Any:
        settings = options.pop("settings", {})
        return forget(ConfiguredTarget(config=self.config(**settings)), person, **{"dry_run": False, **options})

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table: self.duck.query(f'SELECT {columns} FROM "{table}" ORDER BY 1') for table, columns in COLUMNS.items()
        }

    def counts(self) -> dict[str, list[tuple[Any, ...]]]:
        return {table: self.duck.query(f'SELECT count(*) FROM "{table}"') for table in COLUMNS}

    def columns_with(self, text: str) -> list[str]:
        columns = self.duck.query(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns()"
            " SEMI JOIN duckdb_tables() USING (database_name, schema_name, table_name)"
        )
        return [
            f"{table}.{column}"
            for schema, table, column in columns
            if self.duck.query(
                f'SELECT count(*) FROM "{schema}"."{table}" WHERE contains(lower("{column}"::VARCHAR), $1)', (text,)
            )
            != [(0,)]
        ]


@pytest.fixture
def file(duck: Any) -> File:
    return File(duck)


def normal(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Returns rows with the JSON texts in one spelling."""
    return {table: [tuple(_respell(value) for value in row) for row in found] for table, found in rows.items()}


def _respell(value: Any) -> Any:
    return json.dumps(json.loads(value)) if isinstance(value, str) and value[:1] in "[{" and value else value


@pytest.mark.parametrize("settings", [{}, {"nested": "native"}], ids=["json", "native"])
def test_rows_about_the_person_go_and_mentions_are_removed(file: File, settings: dict[str, Any]) -> None:
    file.load(**settings)
    assert file.columns_with(ADA)
    report = file.forget(settings=settings)
    assert normal(file.rows()) == normal(LEFT)
    assert file.columns_with(ADA) == []
    assert [(item.table, item.column, item.keys) for item in report.leftovers] == [("main.absences", "comment", ["a2"])]
    file.load(**settings)
    assert normal(file.rows()) == normal(LEFT)
    assert file.columns_with(ADA) == []
    assert file.columns_with("marker-of-ada") == []


def test_numbers_beside_a_removed_mention_keep_their_text(file: File) -> None:
    members = '[{"person": {"id": "1"}}, {"share": 12345678901234567.890}]'
    line = f'{{"type": "RECORD", "stream": "teams", "record": {{"id": "t1", "members": {members}, "lead_ids": null}}}}'
    file.load(*SCHEMAS, *RECORDS, line)
    file.forget()
    for _ in range(2):
        assert file.duck.query("SELECT members::VARCHAR FROM teams WHERE id = 't1'") == [
            ('[{"share": 12345678901234567.890}]',)
        ]
        file.load(*SCHEMAS, line)


@pytest.mark.parametrize("person", ["1", "main.person:1", " ADA.LOVELACE@firm.example "])
def test_person_is_found_by_id_or_address(file: File, person: str) -> None:
    file.load()
    file.forget(person)
    assert normal(file.rows()) == normal(LEFT)


def test_dry_run_and_export_change_nothing(file: File) -> None:
    file.load()
    before, inode = file.rows(), file.path.stat().st_ino
    export = file.duck.folder / "export.jsonl"
    report = file.forget(dry_run=True, export=str(export))
    assert {plan.table.name: (plan.deleted, plan.mentions) for plan in report.plans if plan.is_changed} == {
        "persons": (1, 1),
        "absences": (1, 1),
        "days": (1, 0),
        "teams": (0, 1),
        "values": (1, 0),
        "reports": (0, 1),
    }
    rows = [json.loads(line) for line in export.read_text().splitlines()]
    assert sorted(row["table"] for row in rows) == ["main.absences", "main.days", "main.persons", "main.values"]
    assert export.stat().st_mode & 0o777 == 0o600
    assert file.rows() == before
    assert file.path.stat().st_ino == inode
    assert not file.key.exists()
    text = "\n".join(report.lines()) + report.to_json()
    assert not any(word in text.lower() for word in ("ada", "lovelace", "eve"))


def test_unknown_person_is_an_error_and_changes_nothing(file: File) -> None:
    file.load()
    inode = file.path.stat().st_ino
    for person in ("nobody@firm.example", "99", "main.person:2x"):
        with pytest.raises(TargetError, match=NOTHING_FOUND):
            file.forget(person)
    assert file.path.stat().st_ino == inode


@pytest.mark.parametrize("nobody", ["", " "])
def test_empty_person_is_refused_even_if_addresses_are_empty(file: File, nobody: str) -> None:
    file.load(*SCHEMAS, _person("7", "", "Some", "Body", None), _person("8", "", "Any", "Body", None))
    with pytest.raises(TargetError, match="`--person` is empty"):
        file.forget(nobody)


def test_number_that_others_have_too_identifies_nobody(file: File) -> None:
    number = _of("number", space="number")
    columns = {"id": _id("person"), "email": _of("email"), "badge": number, "company": number}
    file.load(
        _schema("workers", columns, "id"),
        _schema("logins", {"id": TEXT, "number": number}, "id"),
        _record("workers", id="1", email=ADA, badge="B1", company="Firm"),
        _record("workers", id="2", email=EVE, badge="B2", company="Firm"),
        *(_record("logins", id=number, number=number) for number in ("B1", "B2", "Firm")),
    )
    file.forget()
    assert file.duck.query("SELECT id FROM workers") == [("2",)]
    assert file.duck.query("SELECT id FROM logins ORDER BY id") == [("B2",), ("Firm",)]


def test_ids_of_several_rows_about_a_person_are_not_several_people(file: File) -> None:
    file.load(
        *SCHEMAS,
        *RECORDS,
        _schema("stats", {"id": _id("combined"), "person_id": _id("person")}, "id"),
        _schema("keys", {"id": _id("combined"), "person_id": _id("person"), "email": _of("email")}, "id"),
        _record("stats", id="1-2025", person_id="1"),
        _record("stats", id="1-2026", person_id="1"),
        _record("stats", id="2-2026", person_id="2"),
        _record("keys", id="k1", person_id="1", email=ADA),
    )
    file.forget()
    assert file.duck.query("SELECT id FROM stats") == [("2-2026",)]
    assert file.duck.query("SELECT id FROM keys") == []


def test_somebody_else_with_the_same_name_stays(file: File) -> None:
    twin = _person("4", "ada2@firm.example", "Ada", "Lovelace", None)

    absence = _record(
        "absences", id="a4", person_id="3", approver_id="4", approver_full_name="Ada Lovelace", comment=""
    )
    file.load(*SCHEMAS, *RECORDS, twin, absence)
    report = file.forget()
    assert report.shared_names == 1
    for _ in range(2):
        assert file.duck.query("SELECT first_name, last_name FROM persons WHERE id = '4'") == [("Ada", "Lovelace")]
        assert file.duck.query("SELECT approver_full_name FROM absences WHERE id = 'a4'") == [("Ada Lovelace",)]
        assert file.duck.query("SELECT author FROM reports WHERE id = 'r1'") == [("Ada Lovelace",)]
        assert file.duck.query("SELECT count(*) FROM persons WHERE id = '1'") == [(0,)]
        file.load(*SCHEMAS, *RECORDS, twin, absence)


@pytest.fixture
def uncompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written without compression, so that a search of their bytes finds every value."""
    connect = duckdb.connect

    def connect_uncompressed(path: str, read_only: bool = False, config: dict[str, Any] | None = None) -> Any:  # noqa: FBT001, FBT002
        return connect(path, read_only, {**(config or {}), "force_compression": "uncompressed"})

    monkeypatch.setattr(duckdb, "connect", connect_uncompressed)


@pytest.mark.usefixtures("uncompressed")
def test_bytes_are_gone(file: File) -> None:
    many = [
        _record("values", id=f"m{n}", owner_id="1", owner_type="Person", value=f"Marker-{n:06}") for n in range(3000)
    ]
    file.load(*SCHEMAS, *RECORDS, *many)
    before = file.path.read_bytes()
    assert all(word in before for word in (b"Ada.Lovelace@firm", b"Marker-of-Ada", b"Marker-000000", b"Marker-002999"))
    file.duck.query("DELETE FROM \"values\" WHERE owner_id = '1'")
    file.duck.query("FORCE CHECKPOINT")
    assert b"Marker-002999" in file.path.read_bytes()  # DuckDB keeps removed values
    file.forget()
    after = file.path.read_bytes()
    assert not any(word in after for word in (b"Ada.Lovelace@firm", b"Marker-"))
    assert b"Eve Other" in after
    assert not file.path.with_name("hr.duckdb.wal").exists()


def test_everything_else_comes_along(file: File) -> None:
    file.load()
    file.duck.query("COMMENT ON TABLE persons IS 'my comment'")
    file.duck.query("CREATE VIEW names AS SELECT first_name FROM persons")
    file.duck.query("CREATE MACRO twice(x) AS 2 * x")
    file.duck.query("CREATE SEQUENCE numbers START 5")
    file.duck.query("SELECT nextval('numbers')")
    file.duck.query("CREATE INDEX by_id ON absences (id)")
    file.duck.query("CREATE SCHEMA mine")
    file.duck.query("CREATE TABLE mine.b (id INTEGER PRIMARY KEY)")
    file.duck.query("CREATE TABLE mine.a (b INTEGER REFERENCES mine.b (id), c INTEGER GENERATED ALWAYS AS (b + 1))")
    file.duck.query("INSERT INTO mine.b VALUES (7)")
    file.duck.query("INSERT INTO mine.a (b) VALUES (7)")
    file.path.chmod(0o640)
    notes = file.duck.query("SELECT table_name, stream FROM _tables ORDER BY 1")
    file.forget()
    assert file.duck.query("SELECT comment FROM duckdb_tables() WHERE table_name = 'persons'") == [("my comment",)]
    assert file.duck.query("SELECT count(*), twice(2), nextval('numbers') FROM names") == [(2, 4, 6)]
    assert file.duck.query("SELECT b, c FROM mine.a") == [(7, 8)]
    assert file.duck.query("SELECT index_name FROM duckdb_indexes()") == [("by_id",)]
    assert file.duck.query("SELECT table_name, stream FROM _tables ORDER BY 1") == notes
    assert file.path.stat().st_mode & 0o777 == 0o640


def test_person_at_several_vendors_is_found_by_the_address(file: File) -> None:
    other = _schema(
        "users",
        {"user_id": _id("user"), "guid": _id("guid"), "mail": _of("email"), "mgr_id": _id("user", **MENTION)},
        "user_id",
    )
    logins = _schema("logins", {"id": TEXT, "guid": _id("guid")}, "id")
    users = [
        _record("users", user_id="70", guid="AB-1", mail="ADA.lovelace@firm.example", mgr_id="0"),
        _record("users", user_id="1", guid="AB-2", mail=EVE, mgr_id="70"),
        _record("logins", id="l1", guid="ab-1"),
        _record("logins", id="l2", guid="ab-2"),
    ]
    file.load()
    file.load(other, logins, *users, default_target_schema="other")
    file.forget(settings={"default_target_schema": "main"})
    file.load(other, logins, *users, default_target_schema="other")
    assert normal(file.rows()) == normal(LEFT)
    assert file.duck.query("SELECT user_id, mgr_id FROM other.users") == [("1", None)]
    assert file.duck.query("SELECT id FROM other.logins") == [("l2",)]


def test_people_who_share_a_work_address_are_not_removed_together_unless_asked(file: File) -> None:
    file.load(*SCHEMAS, *RECORDS, _person("4", ADA.upper(), "Al", "Lee", None))
    before = file.rows()
    assert file.forget(dry_run=True).shared_spaces == ["main/person"]
    for person in (ADA, "main.person:4"):
        with pytest.raises(TargetError, match=r"several people.*--several-ids") as error:
            file.forget(person)
        assert ADA not in str(error.value).lower()
    with pytest.raises(TargetError, match="--several-ids"):  # it would tell one person of another
        file.forget(dry_run=True, export=str(file.duck.folder / "export"))
    assert file.rows() == before
    file.forget(several_ids=True)
    assert normal(file.rows()) == normal(LEFT)


def test_vendor_that_is_loaded_later_does_not_bring_the_address_back(file: File) -> None:
    file.load()
    file.forget()
    schema = _schema("users", {"user_id": _id("user"), "mail": _of("email")}, "user_id")
    file.load(
        schema,
        _record("users", user_id="70", mail=ADA),
        _record("users", user_id="1", mail=EVE),
        default_target_schema="new",
    )
    assert file.duck.query("SELECT user_id FROM new.users") == [("1",)]


def test_rejected_records_are_searched(file: File) -> None:
    bad = [_record("absences", person_id="1", comment="x"), _record("absences", person_id="2", approver_id="3")]
    file.load(*SCHEMAS, *RECORDS, *bad)
    assert file.duck.query("SELECT count(*) FROM _rejected") == [(2,)]
    file.forget()
    assert file.duck.query("SELECT record ->> 'person_id' FROM _rejected") == [("2",)]
    file.load(*SCHEMAS, *bad)
    assert file.duck.query("SELECT record ->> 'person_id' FROM _rejected") == [("2",), ("2",)]


def test_deleted_rows_and_rows_that_belong_to_later_absences_stay_out(file: File) -> None:
    file.load()
    file.duck.query("ALTER TABLE persons ADD COLUMN _sdc_deleted_at TIMESTAMPTZ")
    file.duck.query("UPDATE persons SET _sdc_deleted_at = now() WHERE id = '1'")
    file.forget()
    later = [_record("absences", id="a9", person_id="1"), _record("days", id="d9", absence_id="a9")]
    file.load(*SCHEMAS, *later)
    assert file.duck.query("SELECT count(*) FROM persons WHERE id = '1'") == [(0,)]
    assert file.duck.query("SELECT count(*) FROM absences WHERE id = 'a9'") == [(0,)]
    assert file.duck.query("SELECT count(*) FROM days WHERE id = 'd9'") == [(0,)]


def test_run_says_how_many_records_it_left_out(file: File, caplog: pytest.LogCaptureFixture) -> None:
    file.load()
    file.forget()
    caplog.clear()
    with caplog.at_level("INFO"):
        file.load()
    assert any("4 of forgotten people left out" in message for message in caplog.messages)


def test_load_without_the_key_or_with_another_is_refused(file: File) -> None:
    file.load()
    file.forget()
    before = file.rows()
    with pytest.raises(TargetError, match="tombstone_key_file"):
        file.duck.load(*SCHEMAS, *RECORDS)
    other = file.duck.folder / "other.key"
    other.write_text("x" * 64)
    other.chmod(0o600)
    with pytest.raises(TargetError, match="another key"):
        file.duck.load(*SCHEMAS, *RECORDS, tombstone_key_file=str(other))
    other.chmod(0o644)
    with pytest.raises(TargetError, match="chmod 600"):
        file.duck.load(*SCHEMAS, *RECORDS, tombstone_key_file=str(other))
    assert file.rows() == before


def test_forget_needs_a_key_file(file: File) -> None:
    file.load()
    with pytest.raises(TargetError, match="`tombstone_key_file` is missing"):
        forget(ConfiguredTarget(config=file.duck.config()), ADA, dry_run=False)
    assert file.columns_with(ADA)


def test_marks_tell_nothing_without_the_key(file: File) -> None:
    file.load()
    file.forget()
    marks = {mark for (mark,) in file.duck.query("SELECT mark FROM _forgotten")}
    assert len(marks) >= 3
    assert all(len(mark) == 32 for mark in marks)
    assert file.key.stat().st_mode & 0o777 == 0o600


def test_tables_of_an_earlier_version_need_a_run_first(file: File) -> None:
    file.load()
    file.duck.query("ALTER TABLE _tables DROP COLUMN protection")
    with pytest.raises(TargetError, match="run their taps once"):
        file.forget()
    file.load(*SCHEMAS)
    file.forget()
    assert normal(file.rows()) == normal(LEFT)


def test_other_process_that_has_the_file_open_is_named(file: File) -> None:
    file.load()
    path = file.path
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); sys.stdin.read()"
    reader = subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdin
    assert reader.stdout
    reader.stdout.readline()
    with pytest.raises(LockedTargetError, match="still open in another process"):
        file.forget(settings={"lock_timeout": 0})
    file.forget(dry_run=True, settings={"lock_timeout": 0})
    reader.stdin.close()
    reader.wait()
    reader.stdout.close()
    file.forget()


def test_full_disk_is_refused_before_anything_is_written(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    file.load()
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Usage)
    with pytest.raises(TargetError, match="too little space"):
        file.forget()
    assert file.columns_with(ADA)
    assert [path.name for path in file.duck.folder.glob("hr*")] == ["hr.duckdb"]


class _Usage:
    free = 10


KILLED = """
import os, signal, sys
from target_duckdb.__main__ import main
from target_duckdb.erasure import rewrite, session
place, number = sys.argv.pop(1), int(sys.argv.pop(1))
module = session if place == "check_disk_space" else rewrite
call, calls = getattr(module, place), []
def killed(*arguments):
    calls.append(1)
    if len(calls) > number >= 0:
        os.kill(os.getpid(), signal.SIGKILL)
    call(*arguments)
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
setattr(module, place, killed)
sys.argv[0] = "target-duckdb"
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "number", "is_new"),
    [
        ("check_disk_space", 0, False),
        ("_copy_table", 0, False),
        ("_copy_table", 4, False),
        ("_replace", 0, False),
        ("_replace", -1, True),
    ],
)
def test_killed_forget_leaves_the_old_file_or_the_new_one(file: File, place: str, number: int, is_new: bool) -> None:  # noqa: FBT001
    file.load()
    before = file.rows()
    config = file.duck.folder / "config.json"
    config.write_text(json.dumps(file.config()))
    command = [sys.executable, "-c", KILLED, place, str(number), "forget", "--config", str(config), "--person", ADA]
    run = subprocess.run(command, capture_output=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert (file.rows() == before) is not is_new
    if not is_new:
        file.forget()
    assert normal(file.rows()) == normal(LEFT)
    assert sorted(path.name for path in file.path.parent.glob("hr*")) == ["hr.duckdb"]


@pytest.mark.slow
def test_command_prints_a_receipt_and_exits_with_1_for_a_wrong_address(file: File) -> None:
    file.load()
    config = file.duck.folder / "config.json"
    config.write_text(json.dumps(file.config()))
    receipt = file.duck.folder / "receipt.json"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "target_duckdb", "forget", "--config", str(config), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    wrong = run("--person", "wrong@firm.example")
    assert wrong.returncode == 1
    assert NOTHING_FOUND in wrong.stderr
    assert "wrong@" not in wrong.stdout + wrong.stderr
    done = run("--person", ADA, "--receipt", str(receipt))
    assert done.returncode == 0, done.stderr
    assert "main.persons" in done.stdout
    found = json.loads(receipt.read_text())
    assert {row["table"]: row["rows_deleted"] for row in found["tables"]}["main.persons"] == 1
    assert found["out_of_reach"]
    assert "ada" not in (done.stdout + done.stderr + receipt.read_text()).lower()
    assert receipt.stat().st_mode & 0o777 == 0o600
    assert run("--person", ADA).returncode == 1
    command = [sys.executable, "-m", "target_duckdb", "forget", "--config", str(config), "--person", "-", "--dry-run"]
    piped = subprocess.run(command, capture_output=True, text=True, check=False, input=f"{EVE}\n")
    assert piped.returncode == 0, piped.stderr
