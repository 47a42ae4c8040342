"""MkDocs calls this module: it adds the generated pages to the site, and links to them."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files
from pymdownx.superfences import fence_code_format

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # MkDocs loads this file by its path

from docsite import diagrams, llms, models, reference  # noqa: E402
from docsite.catalog import list_streams  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Collection

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

MERMAID = ROOT / "output" / "mermaid" / "package" / "dist" / "mermaid.min.js"
SCRIPT = "assets/mermaid.min.js"
CODE = re.compile(r"`(\w+)`")
OUTSIDE = re.compile(r"\]\((\.\./[^)#]+)")
SOURCE = "https://github.com/hrtaps/hrtaps/blob/main/"
COPIES = {
    "models/README.md": f"{models.FOLDER}.md",
    "target-duckdb/README.md": "explanation/target-duckdb.md",
    "webhooks/README.md": "how-to/webhooks.md",
    **{f"tap-{name}/QUIRKS.md": f"explanation/quirks-{name}.md" for name in ("personio", "factorial", "cornerstone")},
}
"""Pages of the repository that are pages of the site, too."""
STACKED = ("reference/tap-", "reference/models/", "how-to/permissions.md")
"""Pages whose tables are shown as lists on a phone."""
CELL = re.compile(r"<td>.*?</td>", re.DOTALL)
CODE_IN_CELL = re.compile(r"<code>[^<]*</code>")
BREAKS = re.compile(r"(?<=[:_.])(?=\w)")


def on_config(config: MkDocsConfig) -> None:
    """Draws diagrams if `make site` could fetch Mermaid. Without it, they are shown as text."""
    if MERMAID.exists():
        fence: dict[str, Any] = {"name": "mermaid", "class": "mermaid", "format": fence_code_format}
        config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    generated = {
        **reference.make_stream_pages(),
        **models.pages(),
        "reference/diagrams.md": diagrams.make_page(),
        **{page: _read_copy(path, page) for path, page in COPIES.items()},
    }
    for path, text in generated.items():
        files.append(File.generated(config, path, content=text))
    written = {Path(file.src_uri): file.content_string for file in files.documentation_pages()}
    files.append(File.generated(config, "llms.txt", content=llms.make_index(written)))
    if MERMAID.exists():
        files.append(File.generated(config, SCRIPT, abs_src_path=str(MERMAID)))
    return files


def on_page_markdown(markdown: str, page: Page, **_kwargs: Any) -> str:
    """Links the streams and models in tables to their pages, and loads Mermaid where there is a diagram."""
    for path, target in COPIES.items():
        relative = posixpath.relpath(target, posixpath.dirname(page.file.src_uri))
        markdown = markdown.replace(f"{SOURCE}{path}", relative)
    folder, _, name = page.file.src_uri.removesuffix(".md").rpartition("/")
    known: Collection[str] = models.models() if name == "models" else list_streams().get(name, ())
    if folder == "reference" and known:
        lines = markdown.splitlines()
        return "\n".join(_link_streams(line, name, known) if line.startswith("| ") else line for line in lines)
    if MERMAID.exists() and "```mermaid" in markdown:
        return f'{markdown}\n<script src="../{SCRIPT}"></script>\n'
    return markdown


def on_page_content(html: str, page: Page, **_kwargs: Any) -> str:
    """Frames diagrams, which scroll on a phone, and tables that are shown as lists there."""
    html = re.sub(r'<pre class="mermaid">.*?</pre>', r'<div class="diagram">\g<0></div>', html, flags=re.DOTALL)
    if page.file.src_uri.startswith(STACKED):
        html = re.sub(r"<table>.*?</table>", r'<div class="stacked">\g<0></div>', html, flags=re.DOTALL)
    return html


def on_post_page(output: str, page: Page, **_kwargs: Any) -> str:
    """Lets names in tables break after a colon, a dot or an underscore, and says in which language the page is.

    The search has the words before that.
    """
    if language := page.meta.get("lang"):
        output = output.replace('<html lang="en"', f'<html lang="{language}"', 1)
    return CELL.sub(
        lambda cell: CODE_IN_CELL.sub(lambda code: BREAKS.sub("<wbr>", code[0]), cell[0]),
        output,
    )


def _read_copy(path: str, page: str) -> str:
    """Returns a page of the repository, with its links to other folders as the site needs them."""

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[1]))
        if target.startswith("docs/"):
            return "](" + posixpath.relpath(target.removeprefix("docs/"), posixpath.dirname(page))
        return f"]({SOURCE}{target}"

    return OUTSIDE.sub(link, (ROOT / path).read_text())


def _link_streams(line: str, folder: str, known: Collection[str]) -> str:
    return CODE.sub(lambda found: f"[{found[0]}]({folder}/{found[1]}.md)" if found[1] in known else found[0], line)
