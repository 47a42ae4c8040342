"""What all charts are made of: the part of the data that they show, what explains them, and their common forms."""

from __future__ import annotations

import re
from calendar import month_name as month_names
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import vl_convert

from hr_report.database import descriptions, literal, query
from hr_report.look import (
    CONFIG,
    MUTED,
    NAMES,
    SOURCES,
    WIDE,
    Rows,
    Spec,
    amount_axis,
    bar_width,
    in_panels,
    is_narrow,
    month_axis,
    palette,
    source_color,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import duckdb


SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


@dataclass(frozen=True)
class Filters:
    """The part of the data that the charts show.

    Attributes:
        sources: The sources, such as `personio`; all by default.
        since: The first month end; by default a number of months before the last one that suits each chart.
        until: The last month end; the last one by default.
        dimension: What `member` is part of, such as `department`.
        member: A group, such as the name of a department. By default everyone.
    """

    sources: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    dimension: str = "total"
    member: str = "total"

    def of_source(self) -> str:
        """The SQL condition on a source; it begins with `AND`, or is empty."""
        return f"\n  AND source IN ({', '.join(map(literal, self.sources))})" if self.sources else ""

    def last_month(self, table: str) -> str:
        """The last month as SQL."""
        return f"DATE {literal(str(self.until))}" if self.until else f"(SELECT max(month_end) FROM {table})"

    def of_months(self, table: str, months: int) -> str:
        """The SQL condition on the month.

        Args:
            table: The table.
            months: The number of months before the last one, if no first month was chosen.
        """
        last = self.last_month(table)
        first = f"DATE {literal(str(self.since))}" if self.since else f"last_day({last} - INTERVAL {months - 1} MONTH)"
        return f"month_end BETWEEN {first}\n    AND {last}"

    def of_group(self) -> str:
        """The SQL condition on the group."""
        return f"dimension = {literal(self.dimension)} AND member = {literal(self.member)}"

    def where(self, table: str, months: int) -> str:
        """The SQL condition on group, month and source."""
        return f"{self.of_group()}\n  AND {self.of_months(table, months)}{self.of_source()}"


EVERYTHING = Filters()
"""No filter."""


@dataclass(frozen=True)
class Figure:
    """A chart with everything that explains it.

    Attributes:
        name: The function's name.
        lead: What it shows.
        parts: Its main figures, by source.
        tables: The tables it is made from.
        definitions: The models' descriptions of these tables.
        sql: The query that was run.
        rows: Its rows by column.
        empty: Why there is nothing to be seen; an empty text if there is.
        draw: Draws the chart from the rows for a width in pixels.
        note: What else has to be known.
        colors: What the colours mean: `source`, or another column.
    """

    name: str
    lead: str
    parts: dict[str, str]
    tables: tuple[str, ...]
    definitions: dict[str, str]
    sql: str
    rows: Rows
    empty: str
    draw: Callable[[Rows, int], Spec] = field(repr=False)
    note: str = ""
    colors: str = "source"

    @property
    def title(self) -> str:
        """The title: what the chart shows, and its main figures."""
        figures = "; ".join(f"{NAMES[source]} {part}" for source, part in self.parts.items() if part)
        return f"{self.lead}: {figures}" if figures else self.lead

    def spec(self, width: int = WIDE) -> Spec:
        """The chart's Vega-Lite specification.

        Args:
            width: The width of the whole chart in pixels; below 600 it is laid out for a phone.

        Raises:
            ValueError: There is nothing to be seen; see `empty`.
        """
        if self.empty:
            raise ValueError(self.empty)
        return {"$schema": SCHEMA, "config": CONFIG, **self.draw([dict(row) for row in self.rows], width)}

    def svg(self, width: int = WIDE, *, legend: bool = True) -> str:
        """The chart as SVG. Its ids differ from those of other charts and widths, so that they can share a page.

        Args:
            width: The width, as of `spec`.
            legend: Whether there is a legend of the colours.
        """
        spec = self.spec(width)
        if not legend:
            leave_out_legends(spec)
        text = str(vl_convert.vegalite_to_svg(spec))
        prefix = f"{self.name}-{width}-"
        text = re.sub(r'\bid="', f'id="{prefix}', text)
        return re.sub(r"url\(#", f"url(#{prefix}", text)


def leave_out_legends(spec: object) -> None:
    """Removes the legends of the colours."""
    for key, value in spec.items() if isinstance(spec, dict) else enumerate(spec) if isinstance(spec, list) else ():
        if key == "color" and isinstance(value, dict):
            value["legend"] = None
        elif key != "data":
            leave_out_legends(value)


def figure(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    tables: tuple[str, ...],
    filters: Filters,
    sql: str,
    *,
    lead: Callable[[Rows], str],
    part: Callable[[Rows], str] | None = None,
    draw: Callable[[Rows, int], Spec],
    why_empty: str,
    note: Callable[[Rows], str] = lambda _: "",
    colors: str = "source",
) -> Figure:
    """Runs a query and describes its chart."""
    rows = query(connection, sql)
    return Figure(
        name=name,
        lead=lead(rows) if rows else name.replace("_", " ").capitalize(),
        parts={source: part(of_source(rows, source)) for source in present(rows)} if part else {},
        tables=tables,
        definitions=descriptions(connection, tables),
        sql=sql,
        rows=rows,
        empty="" if rows else why_empty if filters == EVERYTHING else "No data matches these filters.",
        draw=draw,
        note=note(rows) if rows else "",
        colors=colors,
    )


def present(rows: Rows) -> list[str]:
    """The sources of rows, in the usual order."""
    found = {row["source"] for row in rows}
    return [name for name in SOURCES if name in found]


def of_source(rows: Rows, source: str) -> Rows:
    """The rows of a source."""
    return [row for row in rows if row["source"] == source]


def lines(rows: Rows, value: str, width: int, top: float, *, scale: Rows, **axis: Any) -> Spec:
    """Lines per source, with a dot at the last month."""
    position = {"x": month_axis(scale, width), "y": amount_axis(value, top, **axis)}
    last = {name: max(row["month"] for row in of_source(rows, name)) for name in present(rows)}
    ends = [row for row in rows if row["month"] == last.get(row["source"])]
    line = {
        "data": {"values": rows},
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {**position, "color": source_color(row["source"] for row in scale)},
    }
    dots = {
        "data": {"values": ends},
        "mark": {"type": "point", "filled": True, "size": 36, "opacity": 1},
        "encoding": {**position, "color": source_color(last)},
    }
    return {"layer": [line, dots]}


def stacked_bars(rows: Rows, value: str, part: str, colors: dict[str, str], width: int, *, height: int) -> Spec:
    """Bars by month, in a panel per source, whose parts are stacked in the order of their colours.

    Args:
        rows: The rows, one per source, month and part.
        value: The column with the size of a part.
        part: The column with its name.
        colors: The colours of the parts in the legend.
        width: The width of all in pixels.
        height: The height of a panel's plot in pixels.
    """
    totals: dict[tuple[str, str], float] = {}
    order = {name: index for index, name in enumerate(colors)}
    for row in rows:
        key = (row["source"], row["month"])
        totals[key] = totals.get(key, 0) + row[value]
        row["order"] = order.get(row[part], 0)

    def panel(name: str, plot: int) -> Spec:
        return {
            "data": {"values": of_source(rows, name)},
            "mark": {"type": "bar", "width": bar_width(rows, plot)},
            "encoding": {
                "x": month_axis(rows, plot),
                "y": amount_axis(value, max(totals.values())),
                "color": palette(colors, part, width),
                "order": {"field": "order", "type": "quantitative"},
            },
            "title": NAMES[name],
            "width": plot,
            "height": height,
        }

    return in_panels(present(rows), panel, width, 1 if is_narrow(width) else 2)


def bars(rows: Rows, name: str, value: str, plot: int, top: float, *, label: str) -> Spec:
    """Horizontal bars of one source in the rows' order, with the names above them and labels behind them."""
    step = 38
    scale: Spec = {"paddingInner": 0, "paddingOuter": 0}
    y = {"field": name, "type": "nominal", "sort": None, "axis": None, "scale": scale}
    # The labels need some room on the right.
    scale = {"domain": [0, (top or 1) * plot / (plot - 135)], "nice": False}
    x = {"field": value, "type": "quantitative", "axis": None, "scale": scale}
    bar = {
        "mark": {"type": "bar", "height": 12, "yOffset": 9},
        "encoding": {"x": x, "y": y, "color": source_color(SOURCES, legend=False)},
    }
    above = {
        "mark": {"type": "text", "align": "left", "yOffset": -5, "limit": plot},
        "encoding": {"x": {"value": 0}, "y": y, "text": {"field": name, "type": "nominal"}},
    }
    behind = {
        "mark": {"type": "text", "align": "left", "dx": 6, "yOffset": 9, "color": MUTED},
        "encoding": {"x": x, "y": y, "text": {"field": label, "type": "nominal"}},
    }
    return {
        "data": {"values": rows},
        "layer": [bar, above, behind],
        "width": plot,
        "height": step * max(1, len({row[name] for row in rows})),
    }


def signed(number: float) -> str:
    """A whole number with its sign."""
    return f"{number:+,.0f}".replace("-", "\N{MINUS SIGN}")


def month_name(rows: Rows) -> str:
    """The last month of rows, such as `October 2026`."""
    last = max(row["month"] for row in rows)
    return f"{month_names[int(last[5:])]} {last[:4]}"
