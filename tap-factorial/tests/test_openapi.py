"""From a description of the API to schemas and the table."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import tap_factorial
from tap_factorial.openapi import __main__ as openapi
from tap_factorial.openapi.columns import field_schema, merge_schemas
from tap_factorial.openapi.document import Document, DocumentError, load_document
from tap_factorial.table import parse_table

pytestmark = pytest.mark.slow

PACKAGE = Path(tap_factorial.__file__).parent
TEXT = {"type": ["string", "null"]}


def make_document(version: str, **lists: tuple[dict[str, Any], list[dict[str, Any]]]) -> dict[str, Any]:
    """Returns an OpenAPI document with the given lists: fields and parameters by module and name, joined with `__`."""
    paths = {}
    for path, (fields, parameters) in lists.items():
        row = {"type": "object", "properties": {"id": {"type": "string"}, **fields}}
        response = {"type": "object", "properties": {"data": {"type": "array", "items": row}}}
        operation = {
            "parameters": parameters,
            "responses": {"200": {"content": {"application/json": {"schema": response}}}},
        }
        name = path.replace("__", "/")
        paths[f"/api/{version}/resources/{name}"] = {"get": operation, "post": {}}
        paths[f"/api/{version}/resources/{name}/{{id}}"] = {"get": {}}
    return {"openapi": "3.1.0", "paths": paths}


def make_parameter(name: str, kind: str = "string", *, required: bool = True, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": {"type": kind, **schema}}


def columns_of(**fields: dict[str, Any]) -> dict[str, Any]:
    return {name: field_schema(name, schema, lambda schema: schema) for name, schema in fields.items()}


def test_described_field_becomes_a_nullable_column() -> None:
    found = columns_of(
        name={"type": "string", "enum": ["a", "b"], "description": "The vendor's own words."},
        employee_id={"type": "integer"},
        employee_ids={"type": "array", "items": {"type": "integer"}},
        amount={"type": ["number", "null"]},
        position={"type": "integer"},
        created_at={"type": "string"},
        starts_on={"type": "string"},
        due={"type": "string", "format": "date"},
        clock_in={"type": "string"},
        anything={},
        task_id={},
    )
    assert found == {
        "name": TEXT,
        "employee_id": TEXT,
        "employee_ids": {"type": ["array", "null"], "items": TEXT},
        "amount": {"type": ["number", "null"]},
        "position": {"type": ["integer", "null"]},
        "created_at": {**TEXT, "format": "date-time"},
        "starts_on": {**TEXT, "format": "date"},
        "due": {**TEXT, "format": "date"},
        "clock_in": TEXT,
        "anything": {},
        "task_id": TEXT,
    }


def test_nested_descriptions_keep_their_parts_and_end_at_recursion() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "integer"}}}
    node["properties"]["child"] = node
    assert columns_of(node=node)["node"]["properties"] == {"id": TEXT, "child": {"type": ["object", "null"]}}
    either = {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"days": {"type": "number"}}}]}
    assert columns_of(amount=either)["amount"] == {
        "type": ["object", "string", "null"],
        "properties": {"days": {"type": ["number", "null"]}},
    }
    loop: dict[str, Any] = {"anyOf": [{"type": "integer"}]}
    loop["anyOf"].append(loop)
    assert columns_of(loop=loop)["loop"] == {"type": ["integer", "null"]}


def test_field_without_a_declared_type_has_none() -> None:
    resolve = Document(NEXT).resolve
    assert field_schema("anything", described=True, resolve=resolve) == {}
    assert field_schema("several", {"type": "array", "items": True}, resolve) == {
        "type": ["array", "null"],
        "items": {},
    }
    found = columns_of(
        hours={"type": "object", "properties": {"units": {}, "total": {"description": "Of all days."}}},
        rate={"type": "unknown"},
        created_at={"type": ["unknown", "null"]},
        cost={"oneOf": [{}, {"type": "null"}]},
    )
    assert found == {
        "hours": {"type": ["object", "null"], "properties": {"units": {}, "total": {}}},
        "rate": {},
        "created_at": {},
        "cost": {},
    }


def test_synonyms_of_types_are_understood() -> None:
    found = columns_of(
        state={"enum": ["open", "closed", None]},
        level={"enum": [1, 2]},
        done={"enum": [True]},
        starts={"format": "date"},
        tags={"items": {"type": "string"}},
        by_day={"additionalProperties": {"type": "number"}},
    )
    assert found == {
        "state": TEXT,
        "level": {"type": ["integer", "null"]},
        "done": {"type": ["boolean", "null"]},
        "starts": {**TEXT, "format": "date"},
        "tags": {"type": ["array", "null"], "items": TEXT},
        "by_day": {"type": ["object", "null"]},
    }


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"type": ["integer", "null"]}, TEXT, TEXT),
        ({"type": ["integer", "null"]}, {"type": ["number", "null"]}, {"type": ["number", "null"]}),
        ({"type": ["array", "null"], "items": {}}, TEXT, {"type": ["array", "string", "null"], "items": {}}),
        ({**TEXT, "format": "date"}, TEXT, {**TEXT, "format": "date"}),
        ({**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}, TEXT),
        (TEXT, {}, {}),
        (
            {"type": ["array", "null"], "items": {}},
            {"type": ["array", "null"], "items": TEXT},
            {"type": ["array", "null"], "items": TEXT},
        ),
        (
            {"type": ["object", "null"], "properties": {"a": TEXT, "b": TEXT}},
            {"type": ["object", "null"], "properties": {"b": {}, "c": {}}},
            {"type": ["object", "null"], "properties": {"a": TEXT, "b": {}, "c": {}}},
        ),
    ],
)
def test_types_of_two_versions_are_joined_in_either_order(
    old: dict[str, Any], new: dict[str, Any], found: dict[str, Any]
) -> None:
    assert merge_schemas(old, new) == merge_schemas(new, old) == found


@pytest.mark.parametrize("content", [{}, {"paths": {"/api/2026-10-01/resources/a/b/{id}": {"get": {}}}}])
def test_document_without_lists_is_rejected(content: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="does not describe the lists of one version"):
        Document(content)


def test_invalid_document_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>")
    for place in (tmp_path / "page.html", tmp_path / "nowhere.json", "http://127.0.0.1:9/oas"):
        with pytest.raises(DocumentError, match="cannot be read as JSON"):
            load_document(str(place))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the tap's package that a test can change."""
    copy = tmp_path / "tap_factorial"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def run_command(package: Path, *documents: str) -> subprocess.CompletedProcess[str]:
    """Runs the command on a package, in this process. Returns its exit code and output."""
    out, error, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(out), redirect_stderr(error):
        monkeypatch.setattr(openapi, "PACKAGE", package)
        monkeypatch.setattr(sys, "argv", ["openapi", *documents])
        monkeypatch.chdir(package.parent)
        try:
            openapi.main()
        except SystemExit as ended:
            print(ended.code, file=error)
            code = 1
    return subprocess.CompletedProcess(documents, code, out.getvalue(), error.getvalue())


def learn_documents(package: Path, *documents: dict[str, Any]) -> list[str]:
    files = []
    for number, document in enumerate(documents):
        files.append(str(package.parent / f"{number}.json"))
        Path(files[-1]).write_text(json.dumps(document))
    result = run_command(package, *files)
    assert result.returncode == 0, result.stderr
    return [line.strip() for line in result.stdout.splitlines()]


NEXT = make_document(
    "2027-01-01",
    employees__employees=(
        {"shoe_size": {"type": "integer"}, "active": {"type": "string"}, "created_at": {"type": "string"}},
        [
            *(make_parameter(name, "boolean") for name in ("only_active", "only_managers")),
            make_parameter("updated_at_gteq"),
        ],
    ),
    employees__badges=(
        {"employee_id": {"type": "string"}, "updated_at": {"type": "string"}},
        [
            make_parameter("employee_ids[]", "array", items={"type": "string"}),
            make_parameter("include_lost", "boolean", required=False),
            make_parameter("updated_from", required=False),
        ],
    ),
    weather__forecasts=(
        {"rain": {"type": "number"}},
        [make_parameter("start_on"), make_parameter("end_on"), make_parameter("kind", enum=["long", "short"])],
    ),
    weather__stations=({}, [make_parameter("planet")]),
)


def test_new_version_adds_lists_and_columns_and_reports_changes(package: Path) -> None:
    before = parse_table((package / "lists.toml").read_text())
    lines = learn_documents(package, NEXT)
    assert lines[0].startswith("2027-01-01: 4 lists, ")
    assert "added: employees/employees.shoe_size, integer" in lines
    assert "retyped: employees/employees.active, boolean to string" in lines
    assert "removed: employees/employees.nationality" in lines
    assert "removed: posts/posts, last seen in 2026-10-01" in lines
    assert "look at: weather/stations requires planet, which is unknown" in lines
    table = parse_table((package / "lists.toml").read_text())
    assert table.versions[-1] == "2027-01-01"
    assert set(table.rows_of_version("2027-01-01")) == {
        "employees/employees", "employees/badges", "weather/forecasts", "weather/stations"
    }  # fmt: skip
    assert table.rows_of_version("2026-10-01").keys() == before.rows_of_version("2026-10-01").keys()
    badges = table.lists["employees"]["badges"]
    assert (badges.parent, badges.by, badges.at_once) == ("employees/employees", "employee_ids[]", 50)
    assert (badges.send, badges.changed_since, badges.since) == ({"include_lost": True}, "updated_from", "2027-01-01")
    forecasts = table.lists["weather"]["forecasts"]
    assert (forecasts.window, forecasts.requests) == (("start_on", "end_on"), [{"kind": "long"}, {"kind": "short"}])
    before_fields, employees = (fields_of(folder, "employees_employees") for folder in (PACKAGE, package))
    assert employees["shoe_size"] == {"type": ["integer", "null"]}
    assert employees["nationality"] == {**before_fields["nationality"], "deprecated": True}


def test_descriptions_in_the_schemas_are_kept(package: Path) -> None:
    pet: dict[str, Any] = {"name": TEXT, "tail": {"type": "integer"}}
    fields: dict[str, Any] = {
        "age": {"type": "integer"},
        "pets": {"type": "array", "items": {"type": "object", "properties": pet}},
        "keeper": {"type": "object", "properties": {"name": TEXT}},
        "rate": {},
        "gone": TEXT,
    }
    learn_documents(package, make_document("2027-01-01", zoo__cages=(fields, [])))
    file = package / "schemas" / "zoo_cages.json"
    schema = json.loads(file.read_text())
    described = schema["properties"]
    described["pets"]["items"]["properties"]["tail"]["description"] = "Length of the tail in cm."
    described["keeper"]["properties"]["name"]["description"] = "Name of the keeper."
    for name, part in described.items():
        part["description"] = f"What {name} means."
    file.write_text(json.dumps(schema))
    fields["age"] = TEXT
    pet["ears"] = {"type": "integer"}
    del fields["gone"]
    types = ({"name": TEXT}, [])
    lines = learn_documents(
        package, make_document("2027-04-01", zoo__cages=(fields, []), contracts__german_contract_types=types)
    )
    assert "retyped: zoo/cages.age, integer to string" in lines
    found = fields_of(package, "zoo_cages")
    assert {name: part["description"] for name, part in found.items()} == {
        name: f"What {name} means." for name in ("id", "age", "pets", "keeper", "rate", "gone")
    }
    assert found["rate"] == {"description": "What rate means."}
    assert found["gone"] == {**TEXT, "description": "What gone means.", "deprecated": True}
    assert found["keeper"]["properties"] == {"name": {**TEXT, "description": "Name of the keeper."}}
    assert found["pets"]["items"]["properties"] == {
        "name": TEXT,
        "tail": {"type": ["integer", "null"], "description": "Length of the tail in cm."},
        "ears": {"type": ["integer", "null"]},
    }
    stream = "contracts_german_contract_types"  # has a column that the tap adds
    assert fields_of(package, stream) == fields_of(PACKAGE, stream)


def test_same_document_is_not_learned_twice(package: Path) -> None:
    learn_documents(package, NEXT)
    before = {path: path.read_text() for path in package.rglob("*.[jt]*") if path.is_file()}
    assert learn_documents(package, NEXT) == ["2027-01-01: 4 lists, 0 changes"]
    assert {path: path.read_text() for path in before} == before


def test_handwritten_lines_are_unchanged(package: Path) -> None:
    before = set((package / "lists.toml").read_text().splitlines())
    learn_documents(package, NEXT)
    gone = before - set((package / "lists.toml").read_text().splitlines())
    kept = [line for line in before if line.startswith("#")]
    assert not gone.intersection(kept)
    assert not any(line.startswith("employees = ") for line in gone)


def test_secret_field_is_in_no_schema(package: Path) -> None:
    fields = {"challenge": {"type": "string"}, "enabled": {"type": "boolean"}}
    learn_documents(package, make_document("2027-01-01", api_public__webhook_subscriptions=(fields, [])))
    schema = json.loads((package / "schemas" / "api_public_webhook_subscriptions.json").read_text())
    assert "challenge" not in schema["properties"]


def test_fields_with_secret_names_are_in_no_schema(package: Path) -> None:
    secrets = {"Client_Secret": TEXT, "challenge": TEXT, "pin": TEXT, "token_type": TEXT}
    device = {"device": {"type": "object", "properties": {"password_hash": TEXT, "name": TEXT}}}
    learn_documents(
        package,
        make_document(
            "2027-01-01", teams__robots=({**secrets, **device}, []), teams__teams=({"api_token": TEXT, **device}, [])
        ),
    )
    for stream, fields in (("teams_robots", {"id", "pin", "token_type", "device"}), ("teams_teams", {"id", "device"})):
        found = fields_of(package, stream)
        assert {name for name, schema in found.items() if not schema.get("deprecated")} == fields
        assert found["device"]["properties"] == {"name": TEXT}


def described_rows(**schemas: Any) -> dict[str, Any]:
    """Returns an OpenAPI document with these response schemas, by module and name."""
    document = make_document("2027-01-01", **{path: ({}, []) for path in schemas})
    for path, schema in schemas.items():
        operation = document["paths"][f"/api/2027-01-01/resources/{path.replace('__', '/')}"]["get"]
        operation["responses"]["200"]["content"]["application/json"]["schema"] = schema
    return document


def rows_of(described: Any) -> dict[str, Any]:
    return {"properties": {"data": {"type": "array", "items": described}}}


def fields_of(package: Path, stream: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((package / "schemas" / f"{stream}.json").read_text())
    return schema["properties"]  # type: ignore[no-any-return]


def test_rows_described_in_parts_are_merged(package: Path) -> None:
    base = {"properties": {"id": {"type": "string"}, "size": {"type": "integer"}}}
    learn_documents(
        package,
        described_rows(
            zoo__animals=rows_of({"allOf": [base, {"properties": {"tail": True}}]}),
            zoo__cages={"allOf": [rows_of({"oneOf": [base, {"properties": {"size": {"type": "string"}}}]}), {}]},
        ),
    )
    assert fields_of(package, "zoo_animals").keys() == {"id", "size", "tail"}
    assert fields_of(package, "zoo_animals")["tail"] == {}
    assert fields_of(package, "zoo_cages")["size"]["type"] == ["integer", "string", "null"]


def test_undescribed_list_does_not_stop_the_others(package: Path) -> None:
    before = fields_of(package, "teams_teams")
    document = described_rows(
        zoo__animals={}, zoo__cages=rows_of({"$ref": "#/components/schemas/nowhere"}), teams__teams=rows_of({})
    )
    document["paths"]["/api/2027-01-01/resources/zoo/keepers"] = make_document("2027-01-01", zoo__keepers=({}, []))[
        "paths"
    ]["/api/2027-01-01/resources/zoo/keepers"]
    lines = learn_documents(package, document)
    assert "look at: the document does not say what a row of zoo/animals holds" in lines
    assert "look at: the document does not say what a row of zoo/cages holds" in lines
    assert "look at: the document refers to #/components/schemas/nowhere, which it does not hold" in lines
    assert fields_of(package, "zoo_animals") == fields_of(package, "zoo_cages") == {"id": {"type": ["string"]}}
    assert fields_of(package, "teams_teams") == before
    assert set(parse_table((package / "lists.toml").read_text()).lists["zoo"]) == {"animals", "cages", "keepers"}


def test_path_parameters_count_and_names_may_contain_hyphens(package: Path) -> None:
    document = make_document("2027-01-01")
    path = document["paths"]["/api/2027-01-01/resources/pet-shop/big-dogs"] = make_document(
        "2027-01-01", a__b=({}, [])
    )["paths"]["/api/2027-01-01/resources/a/b"]
    path["parameters"] = [make_parameter("include_puppies", "boolean", required=False)]
    learn_documents(package, document)
    table = parse_table((package / "lists.toml").read_text())
    assert table.lists["pet-shop"]["big-dogs"].send == {"include_puppies": True}
    assert (package / "schemas" / "pet_shop_big_dogs.json").exists()
    assert 'big-dogs = { since = "2027-01-01"' in (package / "lists.toml").read_text()
    code = (
        "from tap_factorial.streams import streams_of\n"
        "print([stream.path for stream in streams_of('2027-01-01') if stream.name == 'pet_shop_big_dogs'])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "['/api/2027-01-01/resources/pet-shop/big-dogs']"


def test_nothing_is_written_if_a_document_or_file_fails(package: Path) -> None:
    before = {path: path.read_text() for path in package.rglob("*.[jt]*") if path.is_file()}
    (package.parent / "good.json").write_text(json.dumps(NEXT))
    (package.parent / "bad.json").write_text("{}")
    assert run_command(package, "good.json", "bad.json").returncode == 1
    assert {path: path.read_text() for path in package.rglob("*.[jt]*") if path.is_file()} == before
    (package / "schemas" / ".weather_stations.json.new").mkdir()
    result = run_command(package, "good.json")
    assert result.stderr.startswith("The schemas and the table in ")
    assert "cannot be written" in result.stderr
    assert "Traceback" not in result.stderr
    assert {path: path.read_text() for path in package.rglob("*.[jt]*") if path.is_file()} == before


def test_yaml_document_is_rejected_with_a_hint_to_use_json(tmp_path: Path) -> None:
    (tmp_path / "oas.yaml").write_text("# The API\nopenapi: 3.1.0\npaths: {}\n")
    with pytest.raises(DocumentError, match=r"is written in YAML\. Pass the same document as JSON\."):
        load_document(str(tmp_path / "oas.yaml"))


def test_changed_parameters_of_a_known_list_are_named(package: Path) -> None:
    fields = {"updated_at": TEXT}
    known = {"teams__teams": (fields, []), "posts__posts": (fields, [])}
    learn_documents(package, make_document("2027-01-01", **known))
    lines = learn_documents(
        package,
        make_document(
            "2027-04-01",
            teams__teams=(
                fields,
                [
                    make_parameter("include_archived", "boolean"),
                    make_parameter("updated_from", required=False),
                    make_parameter("kind"),
                    make_parameter("half_day", "boolean"),
                    make_parameter("name", required=False),
                ],
            ),
            employees__employees=(
                fields,
                [make_parameter("only_active", "boolean"), make_parameter("updated_at_gteq")],
            ),
        ),
    )
    assert [line for line in lines if line.startswith("look at")] == [
        "look at: employees/employees no longer takes only_managers, which its row uses",
        "look at: teams/teams takes include_archived, which its row does not send",
        "look at: teams/teams takes updated_from, which its row does not use as an incremental filter",
        "look at: teams/teams requires kind, which its row does not set",
    ]


def test_line_of_a_new_list_is_printed_as_it_is_written(package: Path) -> None:
    lines = learn_documents(package, NEXT)
    written = (package / "lists.toml").read_text().splitlines()
    added = [line.removeprefix("added: ") for line in lines if line.startswith("added: ") and " = " in line]
    assert len(added) == 3
    assert {line.partition("/")[2] for line in added} <= set(written)
    assert all('since = "2027-01-01"' in line for line in added)


def test_maximum_of_parameter_values_is_used_for_new_lists_and_else_flagged(package: Path) -> None:
    five = {"description": "Payroll runs to read, at most 5 per request."}
    few = make_parameter("payroll_run_ids[]", "array", items={"type": "string"}) | five
    many = make_parameter("employee_ids[]", "array", items={"type": "string"}, maxItems=25)
    lines = learn_documents(
        package,
        make_document(
            "2027-01-01",
            compensations__payroll_runs=({}, []),
            compensations__payroll_run_participants=({"payroll_run_id": TEXT}, [few]),
            employees__employees=({"updated_at": TEXT}, []),
            compensations__additional_compensations=({}, [many]),
            contracts__contracts=({}, []),
            contracts__contract_activity_periods=({}, [make_parameter("contract_id")]),
        ),
    )
    rows = parse_table((package / "lists.toml").read_text()).lists["compensations"]
    assert (rows["payroll_run_participants"].parent, rows["payroll_run_participants"].at_once) == (
        "compensations/payroll_runs",
        5,
    )
    assert rows["additional_compensations"].at_once == 50
    (flagged,) = [line for line in lines if "in one request" in line]
    assert flagged.startswith("look at: compensations/additional_compensations takes 25 of employee_ids[] in one")
    assert flagged.endswith("its row asks for 50")


def test_list_without_a_key_is_flagged(package: Path) -> None:
    document = make_document(
        "2027-01-01",
        project_management__exportable_expenses=({}, []),
        cost_centers__resource_distributions=({"percentage": {"type": "number"}}, [make_parameter("resource_type")]),
        job_catalog__tree_nodes=({}, []),
    )
    (data,) = (
        operation["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]
        for path, operation in document["paths"].items()
        if path.endswith("/resource_distributions")
    )
    del data["items"]["properties"]["id"]
    lines = learn_documents(package, document)
    added, *flagged = [line for line in lines if "key" in line]
    assert added.startswith('added: cost_centers/resource_distributions = { since = "2027-01-01", key = [], ')
    assert flagged == [
        "look at: cost_centers/resource_distributions has no field that is its key by its name, and its row has none",
        "look at: job_catalog/tree_nodes no longer has uuid, which is its key",
        "look at: project_management/exportable_expenses has the field id, and its row has no key",
    ]
    assert "look at: cost_centers/resource_distributions requires resource_type, which is unknown" in lines


def test_new_list_described_without_pages_has_one_response(package: Path) -> None:
    paged = {"properties": {**rows_of({"properties": {"id": TEXT}})["properties"], "meta": {"type": "object"}}}
    bare = {"type": "array", "items": {"properties": {"id": TEXT}}}  # as the oldest descriptions have all of them
    learn_documents(
        package, described_rows(zoo__animals=paged, zoo__cages=rows_of({"properties": {"id": TEXT}}), zoo__keepers=bare)
    )
    zoo = parse_table((package / "lists.toml").read_text()).lists["zoo"]
    assert {name: row.one_answer for name, row in zoo.items()} == {"animals": False, "cages": True, "keepers": False}


def test_unreadable_document_is_reported(package: Path) -> None:
    command = [sys.executable, "-m", "tap_factorial.openapi", "nowhere.json"]
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    result = subprocess.run(command, env=environment, cwd=package.parent, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "nowhere.json cannot be read as JSON. Pass the file or the URL of an OpenAPI document.\n"


def test_command_changes_its_own_package() -> None:
    assert Path(openapi.__file__).parents[1] == openapi.PACKAGE == PACKAGE


def read_schemas(package: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in package.glob("schemas/*.json")}


def without_descriptions(schema: dict[str, Any]) -> dict[str, Any]:
    found = {word: value for word, value in schema.items() if word != "description"}
    if "items" in schema:
        found["items"] = without_descriptions(schema["items"])
    if "properties" in schema:
        found["properties"] = {name: without_descriptions(part) for name, part in schema["properties"].items()}
    return found


def test_schemas_match_those_of_the_published_documents(package: Path) -> None:
    samples = os.environ.get("VENDOR_SAMPLES")
    documents = sorted(Path(samples or "nowhere").parent.glob("specs/factorial/*oas-*.json"))
    if not documents:
        pytest.skip("no folder of the vendor's descriptions stands beside the one that VENDOR_SAMPLES names")
    result = run_command(package, *map(str, documents))
    assert result.returncode == 0, result.stderr
    assert read_schemas(package) == read_schemas(PACKAGE)
    for path in package.glob("schemas/*.json"):
        path.unlink()
    result = run_command(package, *map(str, documents))
    assert result.returncode == 0, result.stderr
    assert "look at" not in result.stdout
    assert (package / "lists.toml").read_text() == (PACKAGE / "lists.toml").read_text()
    assert {name: json.dumps(json.loads(text)) for name, text in read_schemas(package).items()} == {
        name: json.dumps(without_descriptions(json.loads(text))) for name, text in read_schemas(PACKAGE).items()
    }
