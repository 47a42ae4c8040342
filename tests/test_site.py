"""The documentation's queries and settings work, and the site has no broken link and requests nothing from outside."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dotenv import dotenv_values
from hr_sandbox.testing import Sandbox, running
from singer_rest.testing import sync_streams
from tap_personio.tap import TapPersonio
from typing_extensions import override

from docsite.browser import Browser, QuietHandler, find_browser, serve_folder
from docsite.catalog import EVERYTHING, find_schema, list_described_streams, list_streams
from docsite.queries import make_queries
from tests.helpers import code_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.slow, pytest.mark.deep]

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
DOCS = ROOT / "docs"
CLIENT = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
CREDENTIALS = {"personio": CLIENT, "factorial": {"api_key": "sandbox-api-key"}, "cornerstone": CLIENT}
TAKES_MINUTES = "bulk_import_reports"
"""A stream with a low rate limit. Its table is created without rows."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(employees=12, requests_per_minute=600_000) as found:
        yield found


@pytest.fixture(scope="module")
def database(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All streams that have a page, loaded from the sandbox."""
    folder = tmp_path_factory.mktemp("load")
    for tap, (_, config) in EVERYTHING.items():
        vendor = tap.removeprefix("tap-")
        optional = [
            name for name, page in list_streams()[tap].items() if page.stream.optional and name != TAKES_MINUTES
        ]
        settings: dict[str, Any] = {
            **config,
            **CREDENTIALS[vendor],
            "api_url": f"{sandbox.url}/{vendor}",
            "optional_streams": optional,
        }
        if vendor == "personio":
            settings["careers_url"] = f"{sandbox.url}/personio-careers"
        if vendor == "cornerstone":
            settings |= {"objects": list(list_described_streams(tap)), "views": list(list_described_streams(tap))}
        load_tap(folder, tap, settings)
    with duckdb.connect(folder / "all.duckdb") as connection:
        # A table gets this column with its first rows.
        for schema, table in connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT starts_with(table_name, '_singer')"
        ).fetchall():
            connection.execute(f'ALTER TABLE {schema}."{table}" ADD COLUMN IF NOT EXISTS _sdc_deleted_at TIMESTAMPTZ')
    return folder / "all.duckdb"


def load_tap(folder: Path, tap: str, settings: dict[str, Any]) -> None:
    """Runs a tap and the loader."""
    (folder / "tap.json").write_text(json.dumps(settings))
    path = str(folder / "all.duckdb")
    (folder / "target.json").write_text(json.dumps({"path": path, "default_target_schema": find_schema(tap)}))
    read = subprocess.run(
        [BIN / tap, "--config", folder / "tap.json"],
        capture_output=True,
        check=False,
        env={"XDG_CACHE_HOME": str(folder)},
    )
    assert read.returncode == 0, read.stderr.decode()
    lines = read.stdout.splitlines()
    sent = {json.loads(line)["stream"] for line in lines if line.startswith(b'{"type":"SCHEMA"')}
    for name in list_described_streams(tap).keys() - sent:
        stream = list_streams()[tap][name].stream
        schema = {"type": "SCHEMA", "stream": name, "schema": stream.schema, "key_properties": stream.primary_keys}
        lines.append(json.dumps(schema, default=list).encode())
    assert {TAKES_MINUTES} >= list_described_streams(tap).keys() - sent, "the sandbox does not serve some streams"
    written = subprocess.run(
        [BIN / "target-duckdb", "--config", folder / "target.json"],
        input=b"\n".join(lines) + b"\n",
        capture_output=True,
        check=False,
    )
    assert written.returncode == 0, written.stderr.decode()


@pytest.mark.parametrize("tap", EVERYTHING)
def test_example_queries_return_rows(database: Path, tap: str) -> None:
    with duckdb.connect(database, read_only=True) as connection:
        for name, page in list_described_streams(tap).items():
            examples = make_queries(page, list_streams()[tap])
            assert 1 <= len(examples) <= 3, name
            for example in examples:
                assert example.sql.rstrip().endswith(";")
                rows = connection.execute(example.sql).fetchall()
                count = connection.execute(f"SELECT count(*) FROM {find_schema(tap)}.{name}").fetchall()[0][0]
                assert count == 0 or sum(row[-1] for row in rows) == count, f"{name}: {example.sql}"


@pytest.mark.parametrize("number", range(5))
def test_tutorial_has_five_query_results(database: Path, number: int) -> None:
    found = code_blocks(DOCS / "tutorial.md", "sql")
    assert len(found) == 6  # the last is about the models: see test_models.py
    with duckdb.connect(database, read_only=True) as connection:
        assert connection.execute(found[number]).fetchall()


Rows = list[dict[str, Any]]
COLUMN_EXAMPLES: list[Callable[[Rows], bool]] = [
    lambda rows: all(re.fullmatch(r"[0-9a-f]{64}", row["email"]) for row in rows),
    lambda rows: all(re.fullmatch(r"[0-9a-f]{64}", row["fix_salary"] or "0" * 64) for row in rows),
    lambda rows: all(row["email"] is None for row in rows),
    lambda rows: all("email" not in row for row in rows),
    lambda rows: all(row.keys() == {"id", "status"} for row in rows),
    lambda rows: {row["status"] for row in rows} == {"ACTIVE"},
]


@pytest.mark.parametrize("number", range(len(COLUMN_EXAMPLES)))
def test_examples_for_columns_do_what_they_say(sandbox: Sandbox, number: int) -> None:
    lines = (dotenv_values(stream=io.StringIO(block)) for block in code_blocks(DOCS / "how-to/columns.md", "text"))
    found = [maps for line in lines if (maps := line.get("TAP_PERSONIO_STREAM_MAPS"))]
    found += code_blocks(DOCS / "how-to/columns.md", "json")
    assert len(found) == len(COLUMN_EXAMPLES)
    maps = json.loads(found[number])
    (stream,) = maps
    tap = TapPersonio(
        config={
            **CLIENT,
            "api_url": f"{sandbox.url}/personio",
            "stream_maps": maps,
            "stream_map_config": {"salt": "of-ours"},
        }
    )
    output = sync_streams(tap, stream)
    rows = [message["record"] for message in output.messages_of("RECORD")]
    assert any(row.get("fix_salary") for row in rows) == (stream == "employees")
    assert COLUMN_EXAMPLES[number](rows)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed: run `make site`, or `make test`")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_the_site_has_a_page_for_each_stream(site: Path) -> None:
    index = (site / "llms.txt").read_text()
    for tap in EVERYTHING:
        overview = (site / "reference" / f"{tap}.html").read_text()
        for name in list_described_streams(tap):
            page = f"{tap}/{name}.html"
            assert (site / "reference" / page).exists()
            assert f'href="{page}"' in overview, f"{name} has no link in docs/reference/{tap}.md"
            assert f"(reference/{page})" in index


def test_pages_of_the_repository_are_pages_of_the_site(site: Path) -> None:
    hook = importlib.import_module("docsite.hook")  # needs mkdocs
    for path, page in hook.COPIES.items():
        assert (site / page).with_suffix(".html").exists()
        linking = [html.name for html in site.rglob("*.html") if f"{hook.SOURCE}{path}" in html.read_text()]
        assert linking == [], path


def test_the_page_of_a_wrong_address_leads_on(site: Path) -> None:
    html = (site / "404.html").read_text()
    _, _, content = html.partition("<h1>Page not found</h1>")
    links = re.findall(r'href="([^"]+)"', content.partition("</article>")[0])
    assert len(links) >= 6
    for link in links:
        assert (site / link.lstrip("/")).exists(), link


def test_long_names_break_between_their_parts(site: Path) -> None:
    html = (site / "how-to" / "permissions.html").read_text()
    assert "<code>personio:<wbr>persons:<wbr>read</code>" in html
    assert "personio:persons:read\n" in html  # in the text to copy
    assert "wbr" not in (site / "search" / "search_index.json").read_text()


SEARCH = """<iframe src="index.html"></iframe><img src="wait">
<script>
  setInterval(() => {
    const page = document.querySelector("iframe").contentDocument
    const input = page.querySelector("input[name=query]")
    if (!input) return
    input.focus()
    input.value = new URLSearchParams(location.search).get("q")
    input.dispatchEvent(new Event("keyup"))
    const links = [...page.querySelectorAll("a.md-search-result__link")].map(link => link.href)
    if (links.length) fetch("found?" + links.join("&"))
  }, 200)
</script>"""
"""A page that types into the search of another. It is loaded once that shows results, or after a while."""


class Handler(QuietHandler):
    """Serves the site, and the page that searches."""

    found = threading.Event()
    results = ""

    @override
    def do_GET(self) -> None:
        """Handles a request."""
        if self.path.startswith("/found?"):
            type(self).results = self.path
            self.found.set()
        elif self.path == "/wait":
            self.found.wait(20)
        elif not self.path.startswith("/search.html"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(SEARCH.encode() if self.path.startswith("/search.html") else b"")


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    """The address of the served site."""
    with serve_folder(site, Handler) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    command = find_browser()
    if command is None:
        pytest.skip("no chromium")
    return Browser(command, tmp_path_factory.mktemp("profile"))


PAGES = [
    "index.html",
    "tutorial.html",
    "how-to/permissions.html",
    "reference/tap-factorial.html",
    "reference/tap-personio/persons.html",
    "reference/diagrams.html",
]


@pytest.mark.parametrize("page", PAGES)
def test_pages_open_without_errors_and_requests_to_the_outside(url: str, browser: Browser, page: str) -> None:
    dom, problems = browser.open(f"{url}/{page}")
    assert "</html>" in dom
    assert problems == []


@pytest.mark.parametrize("script", ['src="https://outside.example/x.js">', ">throw new Error()"])
def test_the_browser_reports_errors_and_requests_to_the_outside(
    url: str, site: Path, browser: Browser, script: str
) -> None:
    (site / "page.html").write_text(f"<script {script}</script>")
    assert browser.open(f"{url}/page.html")[1]


def test_search_finds_a_stream(url: str, browser: Browser) -> None:
    _, problems = browser.open(f"{url}/search.html?q=timeoff_leaves")
    assert "/reference/tap-factorial/timeoff_leaves.html" in Handler.results
    assert problems == []
