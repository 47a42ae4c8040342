"""The table of quirks names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TAP = Path(__file__).parent.parent
ROWS = [line for line in (TAP / "QUIRKS.md").read_text().splitlines() if re.match(r"\|.*`test_", line)]
TESTS = {
    name
    for folder in (TAP / "tests", TAP.parent / "singer-rest" / "tests")
    for file in folder.glob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(), flags=re.MULTILINE)
}


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_each_quirk_has_a_test(row: str) -> None:
    named = re.findall(r"`(test_\w+)`", row)
    assert named
    assert set(named) <= TESTS


def test_the_table_is_read() -> None:
    assert len(ROWS) > 50
