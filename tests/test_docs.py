"""Generated parts of the pages are up to date, and every stream is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from tap_cornerstone.rest import RestList
from tap_cornerstone.streams import STREAMS as CORNERSTONE
from tap_factorial.streams import streams_of
from tap_factorial.table import load_table
from tap_personio.client import PersonioStream
from tap_personio.streams import STREAMS as PERSONIO

from docsite import models, pages, permissions
from docsite.catalog import list_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_rest import RestStream

ROOT = Path(__file__).parent.parent
FACTORIAL = {stream.name: stream for version in load_table().versions for stream in streams_of(version)}
STREAMS: dict[str, list[type[RestStream]]] = {
    "tap-personio": list(PERSONIO),
    "tap-factorial": list(FACTORIAL.values()),
    "tap-cornerstone": list(CORNERSTONE),
}
TAPS = sorted(STREAMS)


@pytest.mark.parametrize("page", pages.generate_files(), ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_up_to_date(page: Path) -> None:
    assert page.read_text() == pages.generate_files()[page], (
        f"{page.relative_to(ROOT)} is stale: run `make docs` and commit the changes"
    )


def test_every_part_is_used() -> None:
    texts = "".join(pages.generate_files().values())
    unused = [name for name in pages.make_parts() if f"<!-- {name} -->" not in texts]
    assert not unused, f"remove from `parts` in docsite/pages.py, or use in a page: {unused}"


@pytest.mark.parametrize("vendor", permissions.QUESTIONS)
def test_questions_name_streams(vendor: str) -> None:
    for question, patterns in permissions.QUESTIONS[vendor].items():
        assert all(permissions.find_matching_streams(vendor, pattern) for pattern in patterns), question


def test_permissions_include_those_of_parents() -> None:
    """The balances of absences are requested once for each of the employees."""
    assert list_streams()["tap-personio"]["absence_balances"].stream.slices.parent == "employees"
    table = permissions.make_permission_tables("personio")
    (row,) = [line for line in table.splitlines() if line.startswith("| absences, absence rate |")]
    assert "`employees`" not in row
    assert "`employees:read`" in row


@pytest.mark.parametrize("name", ["personio.count", "factorial.count", "cornerstone.count_known"])
def test_counts_are_generated(name: str) -> None:
    count = pages.make_parts()[name]
    for page, text in pages.generate_files().items():
        handwritten = pages.PART.sub("", text)
        for unit in ("streams", "lists", "names"):
            assert f" {count} {unit}" not in handwritten, (
                f"{page.name}: write <!-- {name} -->{count}<!-- /{name} --> {unit}"
            )


def _declared_streams(base: type[RestStream]) -> Iterator[type[RestStream]]:
    for stream in base.__subclasses__():
        if hasattr(stream, "name") and stream.__module__.partition(".")[2].startswith("streams."):
            yield stream
        yield from _declared_streams(stream)


@pytest.mark.parametrize(("tap", "base"), [("tap-personio", PersonioStream), ("tap-cornerstone", RestList)])
def test_every_stream_is_registered(tap: str, base: type[RestStream]) -> None:
    missing = {stream.__name__ for stream in _declared_streams(base)} - {stream.__name__ for stream in STREAMS[tap]}
    assert not missing, f"add to STREAMS in {tap}'s streams/__init__.py: {missing}"


@pytest.mark.parametrize("tap", TAPS)
def test_every_stream_describes_a_row(tap: str) -> None:
    for stream in STREAMS[tap]:
        first, _, rest = (stream.__doc__ or "").partition("\n")
        text = f"{stream.__module__}.{stream.__name__}: start the docstring with a line 'One row per ....'"
        assert first.startswith("One row per "), text
        assert first.endswith("."), text
        assert not rest or rest.startswith("\n"), text


@pytest.mark.parametrize("tap", TAPS)
def test_every_stream_is_in_the_reference(tap: str) -> None:
    page = (ROOT / "docs" / "reference" / f"{tap}.md").read_text()
    missing = [stream.name for stream in STREAMS[tap] if f"`{stream.name}`" not in page]
    assert not missing, (
        f"not in docs/reference/{tap}.md: run `make docs`, and check `parts` in docsite/pages.py: {missing}"
    )


@pytest.mark.parametrize("tap", TAPS)
def test_every_stream_is_in_the_changelog(tap: str) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    missing = [stream.name for stream in STREAMS[tap] if f"`{stream.name}`" not in changelog]
    assert not missing, f"name the new streams of {tap} in CHANGELOG.md, under Unreleased: {missing}"


def test_questions_are_at_most_three_lines_of_sql() -> None:
    page = (ROOT / "docs" / "questions.md").read_text()
    found = re.findall(r"```sql\n(.*?)\n```", page, re.DOTALL)
    assert len(found) == page.count("\n## ") == 21
    with duckdb.connect() as connection:
        for sql in found:
            assert sql.count("\n") < 3
            assert len(connection.extract_statements(sql)) == 1


@pytest.mark.slow
def test_plain_duckdb_reads_the_models(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    with duckdb.connect(tmp_path / "output" / "warehouse.duckdb") as connection:
        connection.execute("CREATE SCHEMA hr_metrics")
        connection.execute(
            "CREATE TABLE hr_metrics.headcount AS SELECT DATE '2026-01-31' month_end, 'total' dimension, 7 headcount"
        )
    code = (ROOT / "docs" / "python.md").read_text().split("```python\n")[1].partition("```")[0]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "[(datetime.date(2026, 1, 31), 'total', 7)]\n"


def test_each_model_has_a_page_with_its_columns() -> None:
    found = models.pages()
    folders = [ROOT / "models" / "models" / folder for folder in models.SCHEMAS]
    assert {path.stem for folder in folders for path in folder.glob("*.sql")} == models.models().keys()
    for name, model in models.models().items():
        page = found[f"reference/models/{name}.md"]
        assert model.properties["description"] in page
        assert all(f"| `{column['name']}` | " in page for column in model.properties["columns"])
