"""The pages say what the code says now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tap_factorial.table import stream_name, table

DOCS = Path(__file__).parent.parent / "docs"
_spec = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
assert _spec is not None
assert _spec.loader is not None
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)


def test_the_pages_are_those_that_the_code_gives() -> None:
    for path, text in pages.files().items():
        assert path.read_text() == text, "write them anew: make docs"


def test_every_list_of_factorial_stands_in_its_page() -> None:
    page = pages.FACTORIAL.read_text()
    for module, rows in table().lists.items():
        for name in rows:
            assert f"`{stream_name(f'{module}/{name}')}`" in page
