"""The dossiers of all taps: valid contracts, each column once, and pages that a browser shows."""

from __future__ import annotations

import html
import json
import re
import shutil
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml
from lxml import html as lxml_html
from open_data_contract_standard.model import OpenDataContractStandard
from singer_rest.dossier.agreement import Agreement, compare, load_agreement, loaded_columns
from singer_rest.dossier.answers import Answers
from singer_rest.dossier.columns_file import to_csv
from singer_rest.dossier.contract import make_contract, to_yaml
from singer_rest.dossier.inventory import Inventory, take_inventory
from singer_rest.dossier.page import make_page
from singer_rest.dossier.texts import Texts, load_texts
from singer_rest.privacy.profiles import PROFILES, lookup_class

from docsite.browser import Browser, find_browser, serve_folder
from docsite.catalog import EVERYTHING
from tests.helpers import leaves

if TYPE_CHECKING:
    from pathlib import Path

    from singer_rest import RestTap

pytestmark = pytest.mark.slow

TAPS = [*EVERYTHING]
KEY = "k" * 32
ANSWERS = Answers(
    {
        "purpose": "Headcount by month",
        "excluded_uses": ["No evaluation of single people"],
        "readers": {"Controlling": "two people"},
        "retention": {"persons": "24", "others": "one year"},
        "controller": "Example GmbH",
        "works_council": "council@example.com",
        "destination": {"warehouse": "a DuckDB file"},
        "agreement": {"Works agreement": "https://example.com/agreement"},
        "smallest_group": "5",
    }
)
WORDS = "the and of with which from are is not by for to or their has have column columns loaded"
ENGLISH = re.compile(rf"\b({WORDS.replace(' ', '|')})\b", re.IGNORECASE)


def make_tap(name: str, profile: str, catalog: Any = None) -> RestTap:
    tap_class, config = EVERYTHING[name]
    settings = {**config, "privacy": profile, "privacy_key": KEY}
    return tap_class(config=settings, catalog=catalog, validate_config=False)


@cache
def inventory_of(name: str, profile: str) -> Inventory:
    return take_inventory(make_tap(name, profile), is_offline=True)


def agreement_of(inventory: Inventory) -> Agreement:
    return Agreement(inventory.tap.name, inventory.tap.privacy.profile.name, "", loaded_columns(inventory))


@pytest.fixture(scope="session")
def validator() -> Any:
    return jsonschema_rs.validator_for(json.loads((files("open_data_contract_standard") / "schema.json").read_text()))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", TAPS)
def test_contract_is_valid_and_says_what_would_be_loaded(
    name: str, profile: str, tmp_path: Path, validator: Any
) -> None:
    inventory = inventory_of(name, profile)
    path = tmp_path / "contract.yaml"
    path.write_text(to_yaml(make_contract(inventory, ANSWERS)))
    content = yaml.load(path.read_text(), yaml.CSafeLoader)
    assert [error.message for error in validator.iter_errors(content)] == []
    parsed = OpenDataContractStandard.model_validate(content)
    assert [table.name for table in parsed.schema_ or ()] == [table.name for table in inventory.tables]
    agreement = load_agreement(path, name, "FILE")
    assert agreement.loaded == loaded_columns(inventory)
    assert compare(agreement, inventory) == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", TAPS)
def test_every_column_of_the_catalog_is_listed_once(name: str, profile: str) -> None:
    inventory = inventory_of(name, profile)
    listed = {table.name: [column.path for column in table.columns] for table in inventory.tables}
    assert all(len(paths) == len({*paths}) for paths in listed.values())
    everything = make_tap(name, "everything")
    offered = {entry["stream"]: entry["schema"] for entry in everything.catalog_dict["streams"]}
    assert offered.keys() == listed.keys() | {one.name for one in inventory.left_out}
    for table in inventory.tables:
        keys = {*table.keys, everything.streams[table.name].replication_key}
        by_path = {column.path: column for column in table.columns}
        for path, part in leaves(offered[table.name]):
            protection = part["x-protection"]
            below = [inner for inner in by_path if inner.startswith((f"{path}.", f"{path}[]."))]
            assert path in by_path or below, f"{table.name}.{path}"
            if path not in by_path:  # an object of which some fields are known
                continue
            column = by_path[path]
            if path not in keys:
                assert column.protection.name == protection
            expected = lookup_class(column.protection.name, PROFILES[profile]) or "keep"
            assert column.action in {expected, "drop"}, f"{table.name}.{path}"
            assert column.is_loaded == (column.action != "drop")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", TAPS)
def test_loaded_columns_are_those_of_the_messages(name: str, profile: str) -> None:
    catalog = make_tap(name, "everything").catalog_dict
    for number, entry in enumerate(catalog["streams"]):
        for column, part in enumerate(entry["metadata"]):
            part["metadata"]["selected"] = number % 3 > 0 if not part["breadcrumb"] else column % 4 > 0
    tap = make_tap(name, profile, catalog)
    inventory = take_inventory(tap, is_offline=True)
    assert {table.name for table in inventory.tables} == {one.name for one in tap.streams.values() if one.selected}
    assert any(column.reason == "selection" for table in inventory.tables for column in table.columns)
    for table in inventory.tables:
        (message,) = tap.streams[table.name]._generate_schema_messages()
        shown = {name for name, part in message.schema["properties"].items() if part.get("properties") != {}}
        assert shown == {re.split(r"[.\[]", column.path)[0] for column in table.loaded}, table.name


@pytest.mark.parametrize("name", TAPS)
def test_lines_of_the_csv_file(name: str) -> None:
    inventory = inventory_of(name, "minimal")
    lines = to_csv(inventory).splitlines()
    assert len(lines) == 1 + sum(len(table.columns) for table in inventory.tables)
    if name == "tap-factorial":
        assert any(",employee if valuable_type=Employee,pseudonym," in line for line in lines)


@pytest.mark.parametrize("name", TAPS)
def test_a_wider_profile_is_more_and_a_narrower_one_is_not(name: str) -> None:
    minimal, pseudonymous, everything = (
        inventory_of(name, profile) for profile in ("minimal", "pseudonymous", "everything")
    )
    assert not any(one.is_more for one in compare(agreement_of(everything), minimal))
    assert not any(one.is_more for one in compare(agreement_of(everything), pseudonymous))
    assert not any(one.is_more for one in compare(agreement_of(pseudonymous), minimal))
    kinds = {one.kind for one in compare(agreement_of(minimal), everything)}
    assert {"added", "looser"} <= kinds


def test_known_fields_of_an_object_are_within_the_object() -> None:
    minimal, everything = (inventory_of("tap-personio", profile) for profile in ("minimal", "everything"))
    less = {f"{one.stream}.{one.path}": one.kind for one in compare(agreement_of(everything), minimal)}
    assert less["employees.supervisor.id"] == "stricter"
    assert "employees.supervisor" not in less
    more = {f"{one.stream}.{one.path}": one.kind for one in compare(agreement_of(minimal), everything)}
    assert more["employees.supervisor"] == "added"
    assert more["persons.email"] == "looser"


def test_rows_with_a_class_of_their_own_count() -> None:
    no_pay, pseudonymous = (inventory_of("tap-cornerstone", profile) for profile in ("no-pay", "pseudonymous"))
    more = {f"{one.stream}.{one.path}": one.kind for one in compare(agreement_of(no_pay), pseudonymous)}
    assert more["user_ou_core.[ou_type_id=8]"] == "added"
    assert "user_ou_core.[ou_type_id=4]" not in more


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", TAPS)
def test_streams_that_are_not_loaded_have_the_right_reason(name: str, profile: str) -> None:
    tap_class, _ = EVERYTHING[name]
    tap = tap_class(config={"privacy": profile, "views": ["*"], "objects": ["*"]}, validate_config=False)
    types = {stream_type.name: stream_type for stream_type in tap.stream_types}
    inventory = take_inventory(tap, is_offline=True)
    assert types.keys() == {one.name for one in (*inventory.tables, *inventory.left_out)}
    for one in inventory.left_out:
        stream_type = types[one.name]
        assert one.reason in {"setting", "optional", "key"}
        assert one.reason != "optional" or stream_type.optional
        assert one.detail == stream_type.setting or one.reason != "setting"
        assert profile != "everything" or one.reason != "key"


def test_permissions_include_those_of_parents_and_of_discovery() -> None:
    (children,) = [table for table in inventory_of("tap-personio", "minimal").tables if table.name == "employments"]
    assert children.also_needed == ["personio:persons:read"]
    names = {permission.name for permission in inventory_of("tap-cornerstone", "minimal").permissions}
    assert {"obj_metadata:read", "reportingmetadata:view", "obj_users_core:read"} <= names


@pytest.mark.parametrize("name", TAPS)
def test_german_page_has_no_english_sentence_of_its_own(name: str) -> None:
    text = make_page(inventory_of(name, "pseudonymous"), Answers(), Texts("de"), [])
    root = lxml_html.fromstring(text)
    for part in root.xpath("//code | //*[@lang='en'] | //style"):
        part.drop_tree()
    shown = [" ".join(str(piece).split()) for piece in root.xpath("//body//text()")]
    packages = root.xpath("//li[@id='question-26']//td/text()")
    left = {piece for piece in shown if ENGLISH.search(piece) and piece not in packages}
    assert not left
    english = {
        text for section in load_texts("en").values() for text in section.values() if len(text) > len("Pseudonym")
    }
    assert english.isdisjoint(shown)


@pytest.fixture(scope="session")
def browser() -> str:
    found = find_browser()
    if not found:
        pytest.skip("no headless browser is installed")
    return found


LOOK = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe><pre id="found"></pre>
<script>
document.querySelector("iframe").addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const style = page.defaultView.getComputedStyle(page.body);
  document.getElementById("found").textContent = JSON.stringify({{
    wide: root.scrollWidth, tables: page.querySelectorAll("table.columns").length,
    background: style.backgroundColor, questions: page.querySelectorAll("ol.questions > li").length,
  }});
}});
</script>"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("language", "width"), [("en", 1200), ("de", 390)])
def test_a_browser_shows_the_page(browser: str, tmp_path: Path, language: str, width: int, *, dark: bool) -> None:
    inventory = inventory_of("tap-personio", "minimal")
    (tmp_path / "page.html").write_text(make_page(inventory, ANSWERS, Texts(language)))
    (tmp_path / "measure.html").write_text(LOOK.format(width=width))
    profile = tmp_path / "profile"
    profile.mkdir()
    headless = Browser(browser, profile, f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    with serve_folder(tmp_path) as url:
        dom, problems = headless.open(f"{url}/measure.html", timeout=240)
    shutil.rmtree(profile)
    assert problems == []
    shown = re.search(r'<pre id="found">(.*?)</pre>', dom)
    assert shown
    found = json.loads(html.unescape(shown.group(1)))
    assert found["wide"] <= width
    assert found["questions"] == 26
    assert found["tables"] == len(inventory.tables)
    assert found["background"] == ("rgb(18, 23, 28)" if dark else "rgb(246, 247, 249)")


def test_page_needs_nothing_else() -> None:
    text = make_page(inventory_of("tap-personio", "minimal"), ANSWERS, Texts("en"))
    assert not re.search(r"@import|<script|<link(?! rel=.icon. href=.data:,.)|<img|<iframe|\ssrc=|url\(", text)
    assert {target[0] for target in re.findall(r'href="([^"]*)', text) if target != "data:,"} == {"#"}
