"""Recordings: every value is replaced, structure and joins are kept, and a check finds what is left."""

from __future__ import annotations

import json
import re
import stat
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from singer_rest.record import recorder as recording
from singer_rest.record.__main__ import main
from singer_rest.record.leaks import Raw, find_leak
from singer_rest.record.names import is_likely_vendor_field, read_known_names
from singer_rest.record.pseudonyms import Pseudonyms
from singer_rest.record.shapes import Shapes
from singer_rest.testing import Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = frozenset({"data", "name", "id", "status", "meta", "next", "owners", "limit"})
PETS = [
    {"id": "9604", "name": "Rex Müller", "updated_at": "2026-02-06T07:08:09Z"},
    {"id": "9605", "updated_at": "2026-02-08T09:10:11Z", "name": "Mieze", "price": 1234.5, "note": "rex@example.com"},
]


class Pets:
    """A declared stream."""

    path = "/owners/{owner_id}/pets"
    schema = {  # noqa: RUF012 - read only
        "properties": {name: {} for name in ("id", "name", "note", "price", "updated_at", "total", "limit", "owners")}
    }


def make_shapes(api_url: str = "https://api.pets.example") -> Shapes:
    return Shapes(Pseudonyms(b"key"), read_known_names("none", [Pets]), api_url)


@pytest.mark.parametrize(
    ("original", "pattern"),
    [
        ("Müller", r"[jkqvwxz]{6}"),
        ("2024-02-29", r"1[78]\d\d-\d\d-\d\d"),
        ("2024-05-06T07:08:09.123Z", r"1[78]\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
        ("2024-05-06 00:00:00+01:00", r"1[78]\d\d-\d\d-\d\d 00:00:00\+02:00"),
        ("17:45", r"\d\d:\d\d"),
        ("7", r"1\d{8}"),
        ("18446744073709551", r"1\d{16}"),
        ("-6005", r"-1\d{8}"),
        ("1234.50", r"\d{4}\.\d{2}"),
        ("4a7d1ed4-1447-4c1b-8ab9-9a1c0d2e3f40", r"[bcdf]{8}-[bcdf]{4}-4[bcdf]{3}-[bcdf]{4}-[bcdf]{12}"),
        ("ada@acme.example", r"[jkqvwxz]+@example\.invalid"),
        ("https://acme.example/photo.png?x=1", r"https://host\.invalid/[jkqvwxz]+"),
        ("0001-01-01", "0001-01-01"),
        ("2024-13-99", "0001-01-01"),
    ],
)
def test_a_pseudonym_has_the_format_of_its_original(original: str, pattern: str) -> None:
    pseudonyms = Pseudonyms(b"key")
    found = pseudonyms.replace_text(original)
    assert re.fullmatch(pattern, found), found
    assert pseudonyms.replace_text(original) == found
    if original != "0001-01-01":
        assert found != original


def test_another_key_gives_other_pseudonyms() -> None:
    assert Pseudonyms(b"one").replace_text("Mieze Müller") != Pseudonyms(b"two").replace_text("Mieze Müller")


def test_all_texts_of_a_recording_have_pseudonyms_of_their_own() -> None:
    pseudonyms = Pseudonyms(b"key")
    originals = [
        f"{letter}{other}" for letter in "abcdefghij" for other in "abcdefghij"
    ]  # more than there are of two letters
    assert len({pseudonyms.replace_text(original) for original in originals}) == len(originals)


def test_dates_keep_their_distance() -> None:
    pseudonyms = Pseudonyms(b"key")
    first, second = (pseudonyms.replace_text(day) for day in ("2024-02-28", "2024-03-01"))
    assert (date.fromisoformat(second) - date.fromisoformat(first)).days == 2


def test_a_number_avoids_those_of_the_response() -> None:
    pseudonyms = Pseudonyms(b"key")
    pseudonyms.taken = {str(number) for number in range(1000, 9990)}
    assert pseudonyms.replace_number("5000") not in pseudonyms.taken


def test_references_links_and_cursors_still_join() -> None:
    made = make_shapes()
    path = made.replace_path("/owners/9604/pets", "/owners/{owner_id}/pets")
    body = made.replace_json(
        {
            "data": [{"id": "9604", "name": "Ada", "updated_at": "2024-05-06"}],
            "next": "https://api.pets.example/owners?cursor=c%2Fabc&limit=2",
            "meta": {"end_cursor": "c/abc", "total": 12345, "has_next_page": True},
        }
    )
    identifier, cursor = body["data"][0]["id"], body["meta"]["end_cursor"]
    assert path == f"/owners/{identifier}/pets"
    assert body["next"] == f"https://recorded.invalid/owners?cursor={cursor}&limit=2"
    assert made.replace_params([("cursor", "c/abc"), ("limit", "2")]) == [["cursor", cursor], ["limit", "2"]]
    assert body["meta"] == {"end_cursor": cursor, "total": 12345, "has_next_page": True}


def test_numbers_of_people_are_no_numbers_of_paging() -> None:
    body = make_shapes().replace_json({"data": [{"id": 9604, "total": 65432, "limit": 4321}], "meta": {"total": 65432}})
    row = body["data"][0]
    assert (row["total"], row["limit"]) != (65432, 4321)
    assert len(str(row["total"])) == 5
    assert body["meta"]["total"] == 65432


def test_names_that_a_company_defines_are_replaced() -> None:
    body = make_shapes().replace_json(
        {"data": [{"id": "1", "name": "Ada", "dynamic_12": 1, "anna@acme.example": 2, "2024-05-06": 3}]}
    )
    names = [*body["data"][0]]
    assert names[:2] == ["id", "name"]
    assert not {"dynamic_12", "anna@acme.example", "2024-05-06"} & set(names)
    assert re.fullmatch(r"1[78]\d\d-\d\d-\d\d", names[4])


def test_a_field_that_the_vendor_has_added_is_shown() -> None:
    known = frozenset("abcdefgh")
    assert is_likely_vendor_field("pronouns", [*known, "pronouns"], ("data",), known)
    assert not is_likely_vendor_field("pronouns", [*known, "pronouns"], ("data", "custom_attributes"), known)
    assert not is_likely_vendor_field("Anna Müller", [*known, "Anna Müller"], ("data",), known)
    assert not is_likely_vendor_field("anna", ["anna", "berta", "a", "b", "c", "d"], ("data",), known)
    assert not is_likely_vendor_field("dynamic", [*known, "dynamic"], ("data",), known)


def test_documented_values_are_shown_and_others_are_not() -> None:
    class Documented:
        path = "/x"
        schema = {"properties": {"status": {"description": "Status: ACTIVE, on leave or INACTIVE. Else: OTHER"}}}  # noqa: RUF012

    made = Shapes(Pseudonyms(b"key"), read_known_names("none", [Documented]), "https://api.example")
    body = made.replace_json([{"status": "ACTIVE"}, {"status": "SECRET"}, {"name": "ACTIVE"}])
    assert body[0] == {"status": "ACTIVE"}
    assert body[1]["status"] != "SECRET"
    assert "ACTIVE" not in body[2].values()


def write_leak(original: Any, written: Any, path: str = "/owners", query: Any = ()) -> str | None:
    file = {"endpoint": "/owners", "path": path, "query": query, "members": [], "body": written}
    raw = Raw(path, "/owners", query, [], original if isinstance(original, bytes) else json.dumps(original).encode())
    return find_leak(raw, json.dumps(file).encode(), NAMES, {"status": ["ACTIVE"]})


@pytest.mark.parametrize(
    ("original", "written", "found"),
    [
        ({"name": "Rex Müller"}, {"name": "jkqv Müller"}, "a word"),
        ({"name": "Rex-1"}, {"name": "xx Rex-1 xx"}, "a text"),
        ({"name": "REX-1"}, {"name": "qqrex-1"}, "a text"),
        ({"id": 12345}, {"id": 12345}, "a number"),
        ({"id": "x 12345"}, {"id": "jk 12345"}, "a number"),
        ({"id": 1234.5678}, {"id": 99.5678}, "a number"),
        ({"name": "2024-05-06T07:08:09Z"}, {"name": "2024-05-06T00:00:00Z"}, "a date"),
        ({"name": "2024-05-06"}, {"2024-05-06": 1}, "a date"),
        ({"Anna Müller": 1}, {"Anna Müller": 1}, "a name"),
        ({"name": "anna", "anna": 1}, {"name": "jkqv", "anna": 1}, "a text as a name"),
        ({"name": "ACTIVE"}, {"name": "ACTIVE"}, "a word"),
        ({"next": "https://x.example/owners/Anna"}, {"next": "https://recorded.invalid/owners/Anna"}, "a word"),
        (b"<a><b>Anna</b></a>", {"name": "Anna"}, "a word"),
        ({"name": "Rex Müller", "id": 12345}, {"name": "jkq vwxzjk", "id": 54321}, None),
        ({"status": "ACTIVE"}, {"status": "ACTIVE"}, None),
        ({"meta": {"limit": 1000}}, {"meta": {"limit": 1000}}, None),
        ({"data": [{"limit": 1000}]}, {"data": [{"limit": 1000}]}, "a number"),
        ({"id": 1783}, {"name": "1783-05-06"}, None),
    ],
)
def test_what_is_left_of_the_original_is_found(original: Any, written: Any, found: str | None) -> None:
    assert write_leak(original, written) == found


def test_what_is_left_of_the_request_is_found() -> None:
    assert write_leak({}, {}, path="/owners/98765") == "a number"
    assert write_leak({}, {}, query=[["since", "2024-05-06"]]) == "a date"
    assert write_leak({}, {}, query=[["limit", "1000"]]) is None


@pytest.fixture
def record_run(
    shop: Any, cli: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command with --record on `tmp_path / "shapes"`."""
    shop.data["/owners"] = PETS
    shop.refusals["/kinds"] = Response(
        {"error": "no Mieze"}, status=403, headers={"X-RateLimit-Limit": "5000", "Set-Cookie": "s=Mieze"}
    )
    return lambda *options: cli("--record", str(tmp_path / "shapes"), *options)


@pytest.mark.parametrize("options", [(), ("--test",)])
def test_a_run_writes_shapes_for_this_user_only(
    record_run: Callable[..., Any], make_tap: Callable[..., Any], tmp_path: Path, options: tuple[str, ...]
) -> None:
    record_run(*options)
    folder = tmp_path / "shapes"
    assert type(make_tap()).recorder is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    text = "".join(file.read_text() for file in folder.iterdir())
    for original in ("Rex", "Müller", "Mieze", "9604", "9605", "1234.5", "2026-", "example.com", "token-"):
        assert original not in text, original
    index = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    assert index[0] == {"recording": 1, "tap": "tap-pets"}
    owners = next(line["file"] for line in index[1:] if line["endpoint"] == "/owners")
    assert [*json.loads((folder / owners).read_text())["body"]["data"][1]] == [*PETS[1]]
    refused = next(json.loads((folder / line["file"]).read_text()) for line in index[1:] if line["status"] == 403)
    assert refused["headers"]["x-ratelimit-limit"] == "5000"
    assert "set-cookie" not in refused["headers"]


def test_a_throttled_response_is_recorded_without_its_body(
    record_run: Callable[..., Any], shop: Any, tmp_path: Path
) -> None:
    refusals = [Response({"error": "Mieze"}, status=429, headers={"Retry-After": "0"})]
    shop.before = lambda request: refusals.pop() if request.path == "/owners" and refusals else None
    record_run()
    shapes = [json.loads(file.read_text()) for file in (tmp_path / "shapes").glob("0*.json")]
    throttled = [shape for shape in shapes if shape["status"] == 429]
    assert [(shape["headers"]["retry-after"], "body" in shape) for shape in throttled] == [("0", False)]


def test_a_response_that_fails_the_check_is_not_written(
    record_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Pseudonyms, "replace_text", lambda _self, original: original)
    _, _, log = record_run()
    assert not [file for file in (tmp_path / "shapes").glob("0*.json") if "Rex" in file.read_text()]
    assert "were left out of the recording: a " in log
    assert not any(word in log for word in ("Rex", "Mieze", "9604"))


def test_a_failure_to_record_does_not_stop_the_run(
    record_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("Rex")

    monkeypatch.setattr(recording, "find_leak", fail)
    _, out, log = record_run()
    assert '"Mieze"' in out
    assert "KeyError while it was recorded" in log
    assert "Rex" not in log


def test_a_folder_with_files_is_not_used(record_run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / "mine.txt").touch()
    code, out, log = record_run()
    assert (code, out) == (1, "")
    assert "The folder given with --record is not empty." in log


def test_a_recording_can_be_reviewed(record_run: Callable[..., Any], tmp_path: Path) -> None:
    record_run()
    folder = tmp_path / "shapes"
    good = CliRunner().invoke(main, ["check", str(folder)])
    assert good.exit_code == 0, good.output
    assert "updated_at" in good.output
    file = min(folder.glob("0*.json"))
    shape = json.loads(file.read_text())
    file.write_text(json.dumps({**shape, "body": {"data": [{"name": "Anna Müller, Berlin"}]}}))
    folder.chmod(0o755)
    bad = CliRunner().invoke(main, ["check", str(folder)])
    assert bad.exit_code == 1
    assert "that do not look like replaced values" in bad.output
    assert "Other users can read the folder" in bad.output
    assert "Anna" not in bad.output
