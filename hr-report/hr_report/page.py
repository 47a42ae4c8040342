"""The page: all charts and tables in one HTML file that needs nothing else."""

from __future__ import annotations

import html
import os
import re
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from hr_report import tables
from hr_report.database import query
from hr_report.figure import Figure, of_source
from hr_report.figures import FIGURES
from hr_report.look import DARK, NAMES, PHONE, SOURCES, WIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import duckdb

    from hr_report.look import Rows
    from hr_report.tables import Table

SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "headcount": ("Headcount", ("headcount", "headcount_by_department")),
    "movements": ("Joiners and leavers", ("movements",)),
    "attrition": ("Attrition", ("attrition",)),
    "absences": ("Absences", ("absence_types", "absence_rate")),
    "hours": ("Hours and overtime", ("hours",)),
    "recruiting": ("Recruiting", ("open_positions", "funnel")),
    "training": ("Training", ("training",)),
    "pay": ("Pay gap", ("pay_gap", "pay_quartiles")),
}
"""The sections with charts: their headings, and the functions of `figures`."""


def write(connection: duckdb.DuckDBPyConnection, path: Path, *, with_people: bool = True) -> None:
    """Writes the page, readable for its owner only. An older one is replaced when the new one is complete.

    Args:
        connection: A file with the models.
        path: The page's path. Its folder is created if it does not exist.
        with_people: Whether people whom sources disagree about are listed.

    Raises:
        OSError: The page cannot be written.
    """
    text = page(connection, with_people=with_people)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Created with mode 0600.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def page(connection: duckdb.DuckDBPyConnection, *, with_people: bool = True) -> str:
    """The page as HTML. Arguments as of `write`."""
    figures = {name: function(connection) for name, function in FIGURES.items()}
    last = query(connection, "SELECT max(month_end) AS day FROM hr_metrics.headcount")[0]["day"]
    parts = [
        section(key, heading, (drawn(figures[name]) for name in names)) for key, (heading, names) in SECTIONS.items()
    ]
    parts.append(
        section(
            "freshness",
            "Data freshness",
            (tabulated(found) for found in (tables.freshness(connection), tables.stream_freshness(connection))),
        )
    )
    people = [tables.conflicts(connection)]
    if with_people and not people[0].empty:
        people.append(tables.conflicting_people(connection))
    parts.append(section("conflicts", "Disagreements between sources", map(tabulated, people)))
    headings = {**{key: heading for key, (heading, _) in SECTIONS.items()}, "freshness": "Data freshness"}
    headings["conflicts"] = "Disagreements"
    links = "".join(f'<a href="#{key}">{escape(heading)}</a>' for key, heading in headings.items())
    written = datetime.now(UTC)
    until = f"Figures to {last:%d %B %Y}".replace(" 0", " ") if last else "No figures yet"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>HR report</title>
<link rel="icon" href="data:,">
<style>
{styles()}
</style>
</head>
<body>
<header>
<h1>HR report</h1>
<p>{until}. Written on {written.day} {written:%B %Y at %H:%M} UTC.</p>
<p class="aside">Sources are not added up, as a person can be in several. Small groups are left out.</p>
</header>
{tiles(figures)}
<nav aria-label="Sections">{links}</nav>
<main>
{"".join(parts)}
</main>
</body>
</html>
"""


def escape(text: object) -> str:
    """A text for HTML."""
    return html.escape(str(text))


def prose(text: str) -> str:
    """A description for HTML, with code between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def styles() -> str:
    """The page's CSS. The charts' colours are those of a light page and are replaced on a dark one."""
    text = (files("hr_report") / "page.css").read_text(encoding="utf-8")
    dark = "\n".join(
        f'  svg [fill="{light}"] {{ fill: {color}; }} svg [stroke="{light}"] {{ stroke: {color}; }}'
        for light, color in DARK.items()
    )
    sources = "\n".join(f".{name} {{ --source: {color}; }}" for name, color in SOURCES.items())
    dark_sources = "\n".join(f"  .{name} {{ --source: {DARK[color]}; }}" for name, color in SOURCES.items())
    return f"{text}\n{sources}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n{dark_sources}\n}}"


def tiles(figures: dict[str, Figure]) -> str:
    """The tiles with the main figures, by source."""
    chosen: dict[str, tuple[str, Callable[[Rows], str]]] = {
        "headcount": ("Headcount", lambda rows: f"{rows[-1]['headcount']:,}"),
        "movements": (
            "Joined and left in 12 months",
            lambda rows: (
                f"+{sum(row['joiners'] for row in rows[-12:]):,}"
                f" \N{MINUS SIGN}{sum(row['leavers'] for row in rows[-12:]):,}"
            ),
        ),
        "attrition": ("Attrition, 12 months", lambda rows: f"{rows[-1]['attrition']:.1%}"),
        "absence_rate": ("Absence rate, last month", lambda rows: f"{rows[-1]['absence_rate']:.1%}"),
        "open_positions": ("Open positions", lambda rows: f"{sum(row['positions'] for row in rows):,}"),
    }
    found = []
    for name, (label, value) in chosen.items():
        by_source = {source: value(of_source(figures[name].rows, source)) for source in figures[name].parts}
        values = "".join(
            f'<p class="{source}"><span class="name">{NAMES[source]}</span> <strong>{text}</strong></p>'
            for source, text in by_source.items()
        )
        found.append(f'<div class="tile"><h2>{label}</h2>{values or "<p>no data</p>"}</div>')
    return f'<div class="tiles">{"".join(found)}</div>'


def section(key: str, heading: str, parts: Iterable[str]) -> str:
    """A section of the page."""
    return f'<section id="{key}">\n<h2>{escape(heading)}</h2>\n{"".join(parts)}</section>\n'


def drawn(figure: Figure) -> str:
    """A chart at two widths, with what explains it."""
    if figure.empty:
        return f'<div class="empty"><p>{escape(figure.empty)}</p>{explained(figure)}</div>'
    values = "".join(
        f'<li class="{source}"><span class="name">{NAMES[source]}</span> {escape(text)}</li>'
        for source, text in figure.parts.items()
    )
    note = f'<p class="aside">{escape(figure.note)}</p>' if figure.note else ""
    pictures = "".join(svg(figure, kind, width) for kind, width in (("wide", WIDE), ("phone", PHONE)))
    return (
        f"<figure>\n<figcaption><h3>{escape(figure.lead)}</h3>"
        f"{f'<ul>{values}</ul>' if values else ''}</figcaption>\n{pictures}\n{note}{explained(figure)}</figure>\n"
    )


def svg(figure: Figure, kind: str, width: int) -> str:
    """A chart as SVG. The list of the sources is a legend of their colours."""
    text = figure.svg(width, legend=figure.colors != "source" or not figure.parts)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(figure.title)}" data-width="{kind}" ', 1)


def tabulated(table: Table) -> str:
    """A table with what explains it."""
    if table.empty:
        return f'<div class="empty"><p>{escape(table.empty)}</p>{explained(table)}</div>'
    if table.is_long:
        shown = f'<details class="long"><summary>{escape(table.lead)}</summary>\n{table.html}</details>\n'
        return f"{shown}{explained(table)}"
    return f"<h3>{escape(table.lead)}</h3>\n{table.html}\n{explained(table)}"


def explained(shown: Figure | Table) -> str:
    """The definitions, source tables and SQL behind a click."""
    if not shown.sql:
        return ""
    names = "".join(f"<li><code>{escape(name)}</code></li>" for name in shown.tables)
    definitions = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{prose(text)}</dd>"
        for name, text in shown.definitions.items()
        if text
    )
    return (
        "<details><summary>Definition and SQL</summary>\n"
        + (f"<dl>{definitions}</dl>" if definitions else "")
        + f'<p>Tables:</p><ul class="tables">{names}</ul>\n'
        + f"<pre><code>{escape(shown.sql)}</code></pre></details>\n"
    )
