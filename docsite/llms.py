"""The index of the site for language models: https://llmstxt.org."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEAD = """# Complete HR data in DuckDB

> Singer taps for Personio, Factorial and Cornerstone OnDemand, a DuckDB loader, HR models in dbt, and a Meltano
> project that runs them.
"""
TITLES = {
    "": "Start",
    "how-to": "How-to guides",
    "reference": "Reference",
    "explanation": "Explanation",
    "reference/models": "Tables of the HR models",
    "reference/tap-personio": "Streams of tap-personio",
    "reference/tap-factorial": "Streams of tap-factorial",
    "reference/tap-cornerstone": "Streams of tap-cornerstone",
}


def make_index(written: Mapping[Path, str]) -> str:
    """Returns the index.

    Args:
        written: The Markdown of each page, by its path in the site.
    """
    sections: dict[str, list[str]] = {folder: [] for folder in TITLES}
    for path, markdown in sorted(written.items()):
        folder = path.parent.as_posix()
        entry = f"- [{_find_title(markdown)}]({path.with_suffix('.html').as_posix()})"
        sections["" if folder == "." else folder].append(entry)
    parts = [f"## {TITLES[folder]}\n\n" + "\n".join(entries) for folder, entries in sections.items() if entries]
    return "\n\n".join([HEAD.strip(), *parts]) + "\n"


def _find_title(markdown: str) -> str:
    return next(line.removeprefix("# ") for line in markdown.splitlines() if line.startswith("# "))
