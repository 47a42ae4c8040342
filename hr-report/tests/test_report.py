"""The page shows the figures of the models, and bad input gives a sentence."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import shutil
import stat
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import pytest
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

if importlib.util.find_spec("vl_convert") is None:
    pytest.skip("vl_convert is not installed: run `make report`, or `make test`", allow_module_level=True)

from hr_report.cli import main
from hr_report.database import opened
from hr_report.figure import Filters
from hr_report.figures import FIGURES

from docsite.browser import Browser, QuietHandler, find_browser, serve_folder

HOSTILE = "<script>alert(1)</script> & \"Söhne\" 'x'"


@pytest.fixture(scope="session")
def page(database: Path) -> Path:
    """The page about all sources."""
    path = database.with_suffix(".html")
    assert main(["--database", str(database), "--out", str(path)]) == 0
    return path


def test_the_page_is_one_file_for_its_owner(page: Path) -> None:
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert list(page.parent.glob(".*")) == []
    text = page.read_text()
    assert len(text) < 2_000_000
    # Names of XML vocabularies are no links.
    assert set(re.findall(r"https?://[^\"' <]*", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"@import|<script|<link(?! rel=.icon. href=.data:,.)|<img|<iframe|\ssrc=", text)
    assert set(re.findall(r'href="([^"#]*)', text)) == {"", "data:,"}


def test_values_are_escaped(page: Path) -> None:
    text = page.read_text()
    assert "<script" not in text
    assert html.escape(HOSTILE, quote=False) in text or html.escape(HOSTILE) in text


def test_every_chart_has_its_definition_tables_and_query(page: Path, database: Path) -> None:
    text = page.read_text()
    with opened(database) as connection:
        for function in FIGURES.values():
            figure = function(connection)
            assert not figure.empty
            assert connection.execute(figure.sql).fetchall() == [tuple(row.values()) for row in figure.rows]
            assert html.escape(figure.sql) in text
            for table, definition in figure.definitions.items():
                assert definition == f"The definition of `{table.removeprefix('hr_metrics.')}`."
                assert definition.replace("`", "<code>", 1).replace("`", "</code>") in text


def test_figures_are_those_of_the_models(page: Path) -> None:
    text = page.read_text()
    for expected in (
        "79, +12 in a year",
        "36 joined, 24 left",
        "12.9%, of which 5.0% voluntary",
        "60% vacation",
        "5.0%, of which 2.0% sick",
        "+4.0 hours",
        "24 of 240",
        "72 of 240 registrations",
        "8.0% less (EUR)",
        "2026-06-30 01:02",
    ):
        assert expected in text, expected


def test_people_are_left_out_on_request(
    page: Path, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Who they are" in page.read_text()
    monkeypatch.setattr("hr_report.page.svg", lambda *_: "")  # takes seconds
    path = tmp_path / "page.html"
    assert main(["--database", str(database), "--out", str(path), "--without-people"]) == 0
    assert "Sources disagree about 1 person" in path.read_text()
    assert "Who they are" not in path.read_text()


def test_filters_choose_source_months_and_group(database: Path) -> None:
    chosen = Filters(
        sources=("factorial",),
        since=date(2026, 1, 31),
        until=date(2026, 3, 31),
        dimension="department",
        member=HOSTILE,
    )
    with opened(database) as connection:
        rows = FIGURES["headcount"](connection, chosen).rows
        assert rows == [
            {"source": "factorial", "month": f"2026-0{month}", "headcount": 30 + 23 + month} for month in (1, 2, 3)
        ]
        figure = FIGURES["headcount"](connection, Filters(member="nobody"))
    assert figure.empty == "No data matches these filters."
    with pytest.raises(ValueError, match="No data matches"):
        figure.svg()


def test_a_file_without_figures_gives_the_reason(build_in_folder: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert main(["--database", str(build_in_folder(tmp_path / "none.duckdb")), "--out", str(path)]) == 0
    text = path.read_text()
    for part in (
        "No source has people",
        "No department or team",
        "No absences were loaded",
        "No working time was loaded",
        "No source says that a position is open",
        "No applications were loaded",
        "No mandatory training",
        "No pay was loaded",
        "The file does not say when data was loaded",
        "No two sources disagree",
    ):
        assert part in text, part
    assert "<svg" not in text


def test_report_is_written_from_one_source(build_in_folder: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert main(["--database", str(build_in_folder(tmp_path / "one.duckdb", "personio")), "--out", str(path)]) == 0
    text = path.read_text()
    assert "No two sources disagree" in text
    assert text.count("<svg") == 2 * len(FIGURES)
    assert "Factorial" not in re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)


def make_nothing(path: Path) -> None:
    pass


def make_text(path: Path) -> None:
    path.write_text("source,person\n" * 100)


def make_other(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE persons (id INTEGER)")


def make_raw(path: Path) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("CREATE SCHEMA tap_personio; CREATE TABLE tap_personio._singer_state (state VARCHAR)")


def make_older(path: Path) -> None:
    make_raw(path)
    with duckdb.connect(path) as connection:
        connection.execute("CREATE SCHEMA hr; CREATE TABLE hr.employee (id INTEGER)")
        connection.execute("CREATE SCHEMA hr_metrics; CREATE TABLE hr_metrics.headcount (id INTEGER)")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (make_nothing, "does not exist: load data first, or name the file with --database."),
        (make_text, "cannot be read as a DuckDB file: name the file that `target-duckdb` loads into."),
        (make_other, "has no data of the taps: load it with"),
        (make_raw, "yet: run `meltano run dbt-duckdb:build` first."),
        (make_older, "were built by another version and lack hr_metrics.absence_rate: build them again"),
    ],
)
def test_invalid_files_are_reported_in_one_sentence(
    make: Callable[[Path], None], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.duckdb"
    make(path)
    assert main(["--database", str(path), "--out", str(tmp_path / "page.html")]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_models_with_other_columns_are_reported_in_one_sentence(
    build_in_folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = build_in_folder(tmp_path / "file.duckdb", "personio")
    with duckdb.connect(path) as connection:
        connection.execute("ALTER TABLE hr_metrics.funnel RENAME hired TO employed")
    assert main(["--database", str(path), "--out", str(tmp_path / "page.html")]) == 1
    assert capsys.readouterr().err == (
        f"The models in {path} are not those of this version: build them again with `meltano run dbt-duckdb:build`.\n"
    )


def test_a_file_in_use_is_reported_in_one_sentence(
    build_in_folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = build_in_folder(tmp_path / "file.duckdb", "personio")
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout
        assert user.stdin
        assert user.stdout.readline() == "open\n"
        assert main(["--database", str(path), "--out", str(tmp_path / "page.html")]) == 1
        user.stdin.write("\n")
        user.stdin.close()
    assert "is in use by another process: run this again when that process has ended." in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_reported_in_one_sentence(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hr_report.page.page", lambda *_args, **_options: "page")
    (tmp_path / "file").write_text("")
    assert main(["--database", str(database), "--out", str(tmp_path / "file" / "page.html")]) == 1
    assert "cannot be written: " in capsys.readouterr().err


LOOK = """<!doctype html>
<link rel="icon" href="data:,">
<iframe src="page.html" width="{width}" height="3000"></iframe>
<pre id="found"></pre>
<script>
  addEventListener("load", () => {{
    const page = document.querySelector("iframe").contentDocument
    const shown = [...page.querySelectorAll("svg")].filter(svg => getComputedStyle(svg).display !== "none")
    const sizes = [...page.querySelectorAll("svg text")].filter(text => text.getBoundingClientRect().width)
      .map(text => text.getBoundingClientRect().height)
    document.querySelector("#found").textContent = JSON.stringify({{
      kinds: [...new Set(shown.map(svg => svg.dataset.width))],
      charts: shown.length,
      drawn: shown.filter(svg => svg.getBoundingClientRect().width > 200).length,
      smallest: Math.min(...sizes),
      wide: page.documentElement.scrollWidth,
      page: getComputedStyle(page.body).backgroundColor,
      ink: getComputedStyle(page.querySelector("svg text")).fill,
    }})
  }})
</script>"""
"""A page that measures another in a frame of a given width."""


@pytest.fixture(scope="session")
def browser() -> str:
    """The command of a headless browser."""
    command = find_browser()
    if command is None:
        pytest.skip("no chromium")
    return command


class Handler(QuietHandler):
    """Serves a folder and stores the requested paths."""

    requested_paths: ClassVar[list[str]] = []

    @override
    def do_GET(self) -> None:
        """Handles a request."""
        self.requested_paths.append(self.path)
        super().do_GET()


def open_in_browser(browser: str, page: Path, folder: Path, width: int, *, dark: bool) -> dict[str, Any]:
    """Opens the page in a browser, which must report no problem. Returns what it shows."""
    shutil.copy(page, folder / "page.html")
    (folder / "measure.html").write_text(LOOK.format(width=width))
    profile = folder / "profile"
    profile.mkdir()
    headless = Browser(browser, profile, f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    Handler.requested_paths.clear()
    with serve_folder(folder, Handler) as url:
        dom, problems = headless.open(f"{url}/measure.html", timeout=240)
    assert problems == []
    assert Handler.requested_paths == ["/measure.html", "/page.html"]
    shown = re.search(r'<pre id="found">(.*?)</pre>', dom)
    assert shown
    return dict(json.loads(html.unescape(shown.group(1))))


@pytest.mark.deep
@pytest.mark.parametrize(("width", "kind"), [(1200, "wide"), (390, "phone")])
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_all_charts(
    browser: str, page: Path, tmp_path: Path, width: int, kind: str, *, dark: bool
) -> None:
    found = open_in_browser(browser, page, tmp_path, width, dark=dark)
    assert found["kinds"] == [kind]
    assert found["charts"] == found["drawn"] == len(FIGURES)
    assert found["wide"] <= width
    assert found["smallest"] >= 11
    colors = ("rgb(18, 23, 28)", "rgb(163, 175, 189)") if dark else ("rgb(246, 247, 249)", "rgb(91, 103, 118)")
    assert (found["page"], found["ink"]) == colors
