"""`--dossier` and `--check-agreement`: what would be loaded, and that a run loads no more than was agreed."""

from __future__ import annotations

import csv
import json
import logging
import re
import stat
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml
from singer_rest.dossier.agreement import STRICTER_ACTIONS, is_more_harmful
from singer_rest.dossier.answers import FIELDS
from singer_rest.dossier.questions import NUMBERS
from singer_rest.dossier.texts import LANGUAGES, load_texts
from singer_rest.errors import RunError
from singer_rest.privacy.classes import CLASSES, PERSON_SPACES
from singer_rest.privacy.profiles import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from singer_rest.testing import Host

WITHOUT_KEY = {"key": None}
PROFILE = """
extends: no-pay
actions: {demographic.birth: year, direct_id.name: drop}
classes: {kinds.name: direct_id.name, kinds.note: personal, kinds.month: demographic.birth, kinds.price: organisational}
"""
LOOSER = PROFILE.replace("birth: year", "birth: month").replace("kinds.note: personal", "kinds.note: evaluation")


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "profile.yaml"
    path.write_text(PROFILE)
    return path


@pytest.fixture
def write(cli: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """Writes a dossier without credentials. Returns the file."""

    def write(name: str, *options: str, catalog: Any = None, **config: Any) -> Path:
        path = tmp_path / name
        files = {"catalog": catalog} if catalog else {}
        code, output, log = cli("--dossier", str(path), *options, config={**WITHOUT_KEY, **config}, **files)
        assert code == 0, output + log
        return path

    return write


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def select(catalog: dict[str, Any], *paths: str) -> dict[str, Any]:
    """Returns a catalog in which only these streams and columns are selected, besides keys."""
    for entry in catalog["streams"]:
        for part in entry["metadata"]:
            name = ".".join([entry["stream"], *part["breadcrumb"][1::2]])
            part["metadata"]["selected"] = name in paths
    return catalog


def properties_of(path: Path, stream: str) -> dict[str, dict[str, Any]]:
    (table,) = [table for table in yaml.safe_load(path.read_text())["schema"] if table["name"] == stream]
    return {part["name"]: part for part in table["properties"]}


def custom_of(part: dict[str, Any]) -> dict[str, Any]:
    return {one["property"]: one["value"] for one in part["customProperties"]}


def test_dossier_needs_neither_credentials_nor_network(write: Callable[..., Path], vendor: Host) -> None:
    path = write("out.yaml")
    assert vendor.paths() == {}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {table["name"] for table in yaml.safe_load(path.read_text())["schema"]} == {
        "kinds",
        "owners",
        "pets",
        "sales",
    }


def test_columns_have_their_class_and_what_happens_to_them(write: Callable[..., Path], profile: Path) -> None:
    path = write("out.yaml", privacy=str(profile))
    columns = properties_of(path, "kinds")
    assert {name: (part["classification"], part["transformLogic"]) for name, part in columns.items()} == {
        "id": ("technical", "keep"),
        "month": ("demographic.birth", "year"),
        "note": ("personal", "keep"),
        "price": ("organisational", "keep"),
    }
    assert columns["id"]["primaryKey"] is True
    assert columns["month"]["logicalType"] == "date"
    (kinds,) = [table for table in yaml.safe_load(path.read_text())["schema"] if table["name"] == "kinds"]
    assert {one["path"]: (one["classification"], one["reason"]) for one in custom_of(kinds)["notLoaded"]} == {
        "owner_id": ("unclassified", "profile"),
        "visit_id": ("unclassified", "profile"),
        "name": ("direct_id.name", "profile"),
        "updated_at": ("unclassified", "profile"),
        "_extra": ("unclassified", "profile"),
    }


def test_selection_of_the_catalog_counts(write: Callable[..., Path], make_tap: Callable[..., Any]) -> None:
    catalog = select(make_tap().catalog_dict, "kinds", "kinds.name")
    path = write("out.yaml", catalog=catalog)
    content = yaml.safe_load(path.read_text())
    assert [table["name"] for table in content["schema"]] == ["kinds"]
    assert list(properties_of(path, "kinds")) == ["id", "name"]
    reasons = {one["stream"]: one["reason"] for one in custom_of(content)["notLoaded"]}
    assert (reasons["owners"], reasons["walks"]) == ("selection", "optional")


def test_lines_of_the_csv_file(write: Callable[..., Path], profile: Path) -> None:
    with write("out.csv", privacy=str(profile)).open() as file:
        rows = {(row["stream"], row["path"]): row for row in csv.DictReader(file)}
    assert rows["kinds", "name"]["action"] == "drop"
    assert rows["kinds", "name"]["not_loaded_because"] == "profile"
    assert rows["kinds", "month"]["class"] == "demographic.birth"
    assert rows["kinds", "month"]["action"] == "year"
    assert rows["kinds", "id"]["key"] == "key"
    assert rows["owners", "id"]["permission"] == "owners:read"
    assert len(rows) == 4 * 9


def test_page_names_permissions_and_leaves_fields_to_fill_in(write: Callable[..., Path], tmp_path: Path) -> None:
    answers = tmp_path / "answers.yaml"
    answers.write_text("purpose: <b>Headcount</b> & more\nreaders: [Controlling]\nretention: {kinds: 24}\n")
    text = write("out.html", "--answers", str(answers)).read_text()
    assert "&lt;b&gt;Headcount&lt;/b&gt; &amp; more" in text
    assert "24 months" in text
    assert "owners:read" in text
    blank = re.findall(r'class="blank">.*?<code>(.*?)</code>', text)
    missing = {name.replace("<wbr>", "") for name in blank}
    assert missing == {*FIELDS} - {"purpose", "readers", "retention", "version", "status", "agreement"}
    assert all(f'id="question-{number}"' in text for number in range(1, 27))
    assert sorted(NUMBERS.values()) == [*range(1, 27)]


def test_answers_are_in_the_contract(write: Callable[..., Path], tmp_path: Path) -> None:
    answers = tmp_path / "answers.yaml"
    answers.write_text("purpose: Headcount\nreaders: {Controlling: two people}\nretention: {kinds: 24, rest: 1 year}\n")
    content = yaml.safe_load(write("out.yaml", "--answers", str(answers)).read_text())
    assert content["description"]["purpose"] == "Headcount"
    assert content["roles"] == [{"role": "Controlling", "access": "read", "description": "two people"}]
    assert content["slaProperties"] == [
        {"property": "retention", "value": 24, "unit": "months", "element": "kinds"},
        {"property": "retention", "value": "1 year", "element": "rest"},
    ]


def test_no_secret_is_in_any_file(write: Callable[..., Path], profile: Path) -> None:
    secrets = {
        "api_url": "https://user:s3cret@pets.example/?key=s3cret",
        "key": "s3cret-key",
        "privacy_key": "s3cret" * 8,
        "password": "s3cret-password",
    }
    for name in ("out.html", "out.yaml", "out.csv"):
        text = write(name, "--offline", privacy=str(profile), **secrets).read_text()
        assert "s3cret" not in text
        assert ("<code>privacy_<wbr>key</code>" in text) == (name == "out.html")


@pytest.mark.parametrize(
    ("options", "content", "sentence"),
    [
        (["--dossier", "out.txt"], "", "--dossier writes files whose names end with .html, .yaml, .yml, .csv"),
        (["--dossier", "out.html", "--answers", "FILE"], "purpos: x", "has the key `purpos`: use some of purpose"),
        (
            ["--dossier", "out.html", "--answers", "FILE"],
            "purpose: [[1]]",
            "`purpose` in the file given with --answers",
        ),
        (["--dossier", "out.html", "--answers", "FILE"], "- x", "must be a mapping, such as `purpose:"),
        (["--dossier", "out.html", "--answers", "FILE"], "a: [", "The file given with --answers is not valid YAML."),
        (["--dossier", "out.html", "--answers", "NONE"], "", "The file given with --answers cannot be read"),
        (["--dossier", "out.html", "--since", "FILE"], "a: 1", "The file given with --since is not a dossier: write"),
        (["--check-agreement", "FILE"], "[1, 2]", "The file given with --check-agreement is not a dossier: write one"),
        (["--check-agreement", "FILE"], "customProperties: []\nschema: []", "is not a dossier of tap-pets."),
        (["--dossier", "/proc/out.html"], "", "/proc/out.html cannot be written"),
    ],
)
def test_invalid_files_are_reported_in_one_sentence(
    cli: Callable[..., Any], in_folder: Path, options: list[str], content: str, sentence: str
) -> None:
    (in_folder / "FILE").write_text(content)
    code, _, log = cli(*options, config=WITHOUT_KEY)
    assert code == 1
    assert sentence in log
    assert "Traceback" not in log
    assert not list(in_folder.glob("out.*"))


@pytest.mark.parametrize(
    "options",
    [
        ["--dossier", "a.html", "--plan"],
        ["--dossier", "a.html", "--check-agreement", "b.yaml"],
        ["--language", "de"],
        ["--since", "a.yaml", "--check-agreement", "b.yaml"],
        ["--dossier", "a.html", "--language", "fr"],
        ["--dossier", "a.html", "--only", "kinds=1"],
    ],
)
def test_options_that_do_not_fit_are_refused(cli: Callable[..., Any], options: list[str], tmp_path: Path) -> None:
    code, _, _ = cli(*options)
    assert code == 2
    assert not list(tmp_path.glob("*.html"))


def test_settings_of_another_type_are_reported_without_credentials(cli: Callable[..., Any], tmp_path: Path) -> None:
    code, _, log = cli("--dossier", str(tmp_path / "out.html"), config={**WITHOUT_KEY, "max_wait": "x"})
    assert code == 1
    assert "Set `max_wait` to a value of type integer." in log


@pytest.fixture
def agreed(write: Callable[..., Path], profile: Path) -> Path:
    """A dossier of `kinds` under the profile."""
    return write("agreed.yaml", privacy=str(profile), optional_streams=[])


@pytest.fixture
def check(cli: Callable[..., Any], agreed: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Checks the agreement. Returns the exit code and the report."""

    def check(**config: Any) -> tuple[int, dict[str, Any]]:
        code, output, _ = cli("--check-agreement", str(agreed), "--format", "json", config={**WITHOUT_KEY, **config})
        return code, json.loads(output)

    return check


def names(differences: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["kind"], f"{one['stream']}.{one['path']}") for one in differences]


def test_what_was_agreed_is_within_the_agreement(check: Callable[..., Any], profile: Path) -> None:
    code, report = check(privacy=str(profile))
    assert (code, report["is_within"], report["more"], report["less"]) == (0, True, [], [])


def test_another_class_or_action_is_more(check: Callable[..., Any], profile: Path) -> None:
    profile.write_text(LOOSER)
    code, report = check(privacy=str(profile))
    assert code == 1
    assert report["more"] == [
        {
            "kind": "looser",
            "stream": "kinds",
            "path": "month",
            "agreed": {"protection": "demographic.birth", "action": "year"},
            "current": {"protection": "demographic.birth", "action": "month"},
        },
        {
            "kind": "class",
            "stream": "kinds",
            "path": "note",
            "agreed": {"protection": "personal", "action": "keep"},
            "current": {"protection": "evaluation", "action": "keep"},
        },
    ]


def test_further_columns_and_streams_are_more(check: Callable[..., Any], profile: Path) -> None:
    profile.write_text(PROFILE.replace("direct_id.name: drop", "direct_id.name: keep"))
    code, report = check(privacy=str(profile), optional_streams=["walks"])
    assert code == 1
    assert names(report["more"]) == [("added", "kinds.name"), ("added", "walks.id"), ("added", "walks.updated_at")]


def test_fewer_columns_are_fine_and_are_said(cli: Callable[..., Any], agreed: Path, profile: Path) -> None:
    profile.write_text(PROFILE.replace("birth: year", "birth: drop"))
    config = {**WITHOUT_KEY, "privacy": str(profile)}
    code, output, _ = cli("--check-agreement", str(agreed), config=config)
    assert code == 0
    assert "nothing more is loaded than agreed" in output
    assert "kinds.month: not loaded (agreed: demographic.birth, year)" in output


def test_other_stream_maps_are_more(check: Callable[..., Any], profile: Path) -> None:
    code, report = check(privacy=str(profile), stream_maps={"kinds": {"copied": "id"}})
    assert code == 1
    assert [one["kind"] for one in report["more"]] == ["maps"]


def test_agreement_to_everything_covers_any_profile(
    check: Callable[..., Any], write: Callable[..., Path], profile: Path
) -> None:
    write("agreed.yaml")
    _, report = check(privacy=str(profile))
    assert report["more"] == []
    assert ("stricter", "kinds.month") in names(report["less"])
    assert ("removed", "kinds._extra") in names(report["less"])


def test_run_that_would_load_more_fails_before_its_first_request(
    make_tap: Callable[..., Any], agreed: Path, profile: Path, vendor: Host
) -> None:
    profile.write_text(LOOSER)
    with pytest.raises(RunError) as error:
        make_tap("kinds", privacy=str(profile), privacy_agreement=str(agreed))
    assert str(error.value).startswith(
        "This run would load more than the dossier in `privacy_agreement` says: kinds.month: demographic.birth, month "
        "(agreed: demographic.birth, year); kinds.note: evaluation, keep (agreed: personal, keep)."
    )
    assert vendor.paths() == {}


@pytest.mark.parametrize(("setting", "message"), [("privacy", "is ''"), ("privacy_agreement", "cannot be read")])
def test_empty_setting_loads_nothing(make_tap: Callable[..., Any], vendor: Host, setting: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        make_tap("kinds", **{setting: ""})
    assert vendor.paths() == {}


def test_run_within_the_agreement_loads(
    run: Callable[..., Any], agreed: Path, profile: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    output = run("kinds", privacy=str(profile), privacy_agreement=str(agreed))
    assert [record["id"] for record in output.records("kinds")] == ["cat", "dog", "fish"]
    assert "The run loads less than was agreed." in caplog.text  # the other streams


def test_column_that_appears_at_run_time_must_be_agreed(
    make_tap: Callable[..., Any], agreed: Path, profile: Path, vendor: Host
) -> None:
    tap = make_tap("kinds", privacy=str(profile), privacy_agreement=str(agreed))
    kinds = tap.streams["kinds"]
    schema = {**kinds.unprotected_schema, "properties": {**kinds.unprotected_schema["properties"]}}
    schema["properties"]["gender"] = {"type": ["string", "null"]}
    kinds.set_schema(schema)
    with pytest.raises(RunError, match=r"kinds\.gender: demographic\.gender, keep \(not agreed\)"):
        tap.sync_all()
    assert vendor.paths() == {}


def test_reports_do_not_need_an_agreement(cli: Callable[..., Any], agreed: Path, profile: Path) -> None:
    profile.write_text(LOOSER)
    code, output, log = cli("--plan", "--offline", config={"privacy": str(profile), "privacy_agreement": str(agreed)})
    assert code == 0, log
    assert "Full run" in output


def test_changes_since_an_earlier_dossier_are_shown(write: Callable[..., Path], agreed: Path, profile: Path) -> None:
    profile.write_text(LOOSER.replace("kinds.price: organisational", "kinds.price: bank"))
    text = write("new.html", "--since", str(agreed), privacy=str(profile), optional_streams=["walks"]).read_text()
    changes = text.partition('id="changes"')[2].partition("</section>")[0]
    titles = ["Newly loaded", "Changed less than before, or loaded as they are", "No longer loaded"]
    assert [title for title in titles if title in changes] == titles
    assert "<code>walks.<wbr>id</code>" in changes
    assert "<td>Personal attribute: birth; Year only</td><td>Personal attribute: birth; Month only</td>" in changes
    assert "<code>kinds.<wbr>price</code>" in changes
    assert "Changed more than before" not in changes


def test_harm_follows_the_order_of_the_classes() -> None:
    assert is_more_harmful("pay.amount", "personal")
    assert is_more_harmful("unclassified", "special")
    assert is_more_harmful("contact", "unclassified")
    assert not is_more_harmful("technical", "unclassified")
    assert not is_more_harmful("pay.band", "pay.amount")
    assert not is_more_harmful("organisational", "personal")
    assert STRICTER_ACTIONS["keep"] == {*ACTIONS} - {"keep", "drop"}


def shape(value: Any) -> Any:
    return {name: shape(part) for name, part in value.items()} if isinstance(value, dict) else None


class TestTexts:
    english: ClassVar = load_texts("en")
    german: ClassVar = load_texts("de")
    only_german: ClassVar = {"class_descriptions", "action_descriptions"}

    def test_languages_have_the_same_texts(self) -> None:
        german = {name: part for name, part in self.german.items() if name not in self.only_german}
        assert shape(german) == shape(self.english)
        assert LANGUAGES == ("en", "de")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_class_action_and_kind_of_person_has_a_name(self, language: str) -> None:
        texts = load_texts(language)
        assert texts["class_labels"].keys() == CLASSES.keys()
        assert texts["action_labels"].keys() == ACTIONS.keys()
        assert texts["subjects"].keys() == PERSON_SPACES | {"email", "name", "id", "private_email"}

    def test_german_describes_every_class_and_action(self) -> None:
        assert self.german["class_descriptions"].keys() == CLASSES.keys()
        assert self.german["action_descriptions"].keys() == ACTIONS.keys()

    def test_german_texts_are_not_english(self) -> None:
        same = {
            name
            for section, texts in self.english.items()
            for name, text in texts.items()
            if text and text == self.german[section][name]
        }
        assert same == {"pseudonym", "stream", "version"}
