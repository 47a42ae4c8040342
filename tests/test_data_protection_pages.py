"""What the pages for the works council say of profiles and tables is true, in both languages."""

from __future__ import annotations

import io
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from dotenv import dotenv_values
from singer_rest.privacy.classes import lookup_class
from singer_rest.privacy.classification import shipped_classes
from singer_rest.privacy.profiles import load_profile

if TYPE_CHECKING:
    from singer_rest.privacy.profiles import Profile

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ["for-the-works-council.md", "for-the-works-council.de.md"]
FIELDS = [
    (stream, path, found.name)
    for tap in ("tap_personio", "tap_factorial", "tap_cornerstone")
    for stream, paths in shipped_classes(tap).items()
    for path, found in paths.items()
]
"""All fields with their classes."""
LINE = re.compile(r"`([a-z_.]+: [a-z]+)`")


def profiles_of(page: str, folder: Path) -> list[Profile]:
    """Returns the profiles in the examples of a page."""
    blocks = re.findall(r"^( *)```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    files = []
    for number, (indent, text) in enumerate(blocks):
        files.append(folder / f"{number}.yaml")
        files[-1].write_text(re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
    return [load_profile(str(file)) for file in files]


@pytest.mark.parametrize("page", PAGES)
def test_each_line_of_the_table_widens_minimal(page: str, tmp_path: Path) -> None:
    minimal = load_profile("minimal")
    rows = [lines for row in (DOCS / page).read_text().splitlines() if (lines := LINE.findall(row))]
    assert rows
    for lines in rows:
        file = tmp_path / "own.yaml"
        file.write_text("\n  ".join(["extends: minimal\nactions:", *lines]))
        widened = load_profile(str(file))
        named = {name: action for line in lines for name, action in yaml.safe_load(line).items()}
        for name, action in named.items():
            found = [field for field in FIELDS if lookup_class(field[2], {key: key for key in named}) == name]
            assert {widened.action(*field) for field in found} == {action}, lines
            assert action == "drop" or action not in {minimal.action(*field) for field in found}, lines


def test_pages_say_the_same() -> None:
    english, german = ((DOCS / page).read_text() for page in PAGES)
    for pattern in (
        LINE.pattern,
        r"```\w+\n.*?```",
        r"(?m)^#+ ",
        r"(?m)^ *(?:-|\d\.) ",
        r"(?m)^\|",
        r"\]\(how-to/([\w.#-]+)\)",
    ):
        found, translated = (re.findall(pattern, text, re.DOTALL) for text in (english, german))
        assert found == translated, pattern


@pytest.mark.parametrize("page", PAGES)
def test_examples_are_profiles_that_change_minimal(page: str, tmp_path: Path) -> None:
    coarser, wider = profiles_of(page, tmp_path)
    assert coarser.action("absence_periods", "created_at", "technical") == "month"
    assert coarser.action("absence_periods", "absence_type.id", "special.absence") == "drop"
    assert wider.action("absence_periods", "absence_type.id", "special.absence") == "keep"
    assert wider.action("compensations", "amount.value", "pay.amount") == "keep"
    assert wider.action("compensations", "comment", "pay.text") == "drop"


@pytest.mark.parametrize("page", PAGES)
def test_selection_leaves_out_all_tables_with_times_of_work(page: str) -> None:
    text = (DOCS / page).read_text()
    (block,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    selection = json.loads(str(dotenv_values(stream=io.StringIO(block))["TAP_PERSONIO__SELECT"]))
    factorial = re.findall(r"`!([a-z_]+\*?)\.\*`", text)
    for tap, left_out in (
        ("tap_personio", [rule.removeprefix("!").removesuffix(".*") for rule in selection if rule.startswith("!")]),
        ("tap_factorial", factorial),
    ):
        classes = shipped_classes(tap)
        with_times = {
            stream
            for stream, paths in classes.items()
            if any(found.name == "conduct.clock.start" for found in paths.values())
        }
        assert with_times
        missing = {name for name in with_times if not any(fnmatchcase(name, pattern) for pattern in left_out)}
        assert not missing
        assert all(any(fnmatchcase(name, pattern) for name in classes) for pattern in left_out)
