"""The tables in QUIRKS.md name existing tests."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TAPS = sorted(folder.parent for folder in ROOT.glob("tap-*/pyproject.toml"))
HEAD = re.compile(r"\| the API \| the tap \| test \||\|(---\|)+")
ROWS = [
    pytest.param(tap, line, id=f"{tap.name}-{number}")
    for tap in TAPS
    for number, line in enumerate((tap / "QUIRKS.md").read_text().splitlines())
    if line.startswith("|") and not HEAD.fullmatch(line)
]


@cache
def known_tests(tap: Path) -> set[str]:
    """Returns the names of the tests that can cover a tap's quirks: its own, the engine's and the workspace's."""
    return {
        name
        for folder in (tap / "tests", ROOT / "singer-rest" / "tests", ROOT / "tests")
        for file in folder.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), flags=re.MULTILINE)
    }


@pytest.mark.parametrize(("tap", "row"), ROWS)
def test_each_quirk_has_a_test(tap: Path, row: str) -> None:
    quirk, behaviour, tests = (cell.strip() for cell in row.strip("|").split("|"))
    assert quirk
    assert behaviour
    named = re.findall(r"`(test_\w+)`", tests)
    assert tests == ", ".join(f"`{name}`" for name in named)
    assert named
    assert set(named) <= known_tests(tap)


@pytest.mark.parametrize(("name", "rows"), [("tap-cornerstone", 40), ("tap-factorial", 40), ("tap-personio", 50)])
def test_the_tables_are_read(name: str, rows: int) -> None:
    assert ROOT / name in TAPS
    assert sum(row.values[0] == ROOT / name for row in ROWS) > rows


@pytest.mark.parametrize("tap", TAPS, ids=lambda tap: tap.name)
def test_the_readme_links_to_the_quirks(tap: Path) -> None:
    assert "](QUIRKS.md)" in (tap / "README.md").read_text()
