"""Colours, axes and layout that all charts share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

WIDE, PHONE = 934, 338
"""Widths of a chart in pixels."""
NARROW = 600
"""Below this width, charts stack their parts and show fewer labels."""
INK, MUTED, GRID, REST = "#1f2933", "#5b6776", "#e2e7ed", "#c3cad3"
NAMES = {"personio": "Personio", "factorial": "Factorial", "cornerstone": "Cornerstone"}
SOURCES = {"personio": "#2b6cd4", "factorial": "#d2601a", "cornerstone": "#0f8a70"}
CATEGORIES = {
    "vacation": "#5f9ea8",
    "sick": "#c05a6e",
    "parental": "#8d6fbf",
    "unpaid": "#b58b3b",
    "overtime_compensation": "#7ba05b",
    "other": "#8793a1",
    "small groups": REST,
}
PROGRESS = {"in time": "#6aa36f", "late": "#e0b04c", "overdue": "#c4566c"}
DARK = {
    INK: "#e8ecf1",
    MUTED: "#a3afbd",
    GRID: "#2c353f",
    REST: "#4b5663",
    "#2b6cd4": "#6ea8ff",
    "#d2601a": "#ff9a62",
    "#0f8a70": "#41c9a9",
    "#5f9ea8": "#78bcc7",
    "#c05a6e": "#e07f92",
    "#8d6fbf": "#b298e0",
    "#b58b3b": "#d9b062",
    "#7ba05b": "#9cc47a",
    "#8793a1": "#94a1b0",
    "#6aa36f": "#7fc087",
    "#e0b04c": "#e6bd66",
    "#c4566c": "#e77c90",
}
"""The colours of a dark page, by those of a light one, which the charts are drawn in."""
FONT = "Helvetica Neue, Helvetica, Arial, sans-serif"
MONTH_NAMES = "['Jan','Feb','Mar','Apr','May','Jun','Jul','Aug','Sep','Oct','Nov','Dec']"
Rows = list[dict[str, Any]]
Spec = dict[str, Any]
"""A chart or a part of one, in the words of Vega-Lite."""


def is_narrow(width: int) -> bool:
    """Whether a chart is for a phone."""
    return width < NARROW


CONFIG: Spec = {
    "font": FONT,
    "aria": False,  # the page describes each chart as a whole
    "background": "transparent",
    "padding": {"left": 2, "right": 12, "top": 4, "bottom": 4},
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 12,
        "labelColor": MUTED,
        "gridColor": GRID,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    },
    "axisX": {"grid": False},
    "title": {"fontSize": 13, "fontWeight": "bold", "color": INK, "anchor": "start", "offset": 8},
    "legend": {
        "orient": "top",
        "title": None,
        "labelFontSize": 12,
        "labelColor": INK,
        "labelLimit": 0,
        "symbolSize": 90,
        "columnPadding": 28,
        "offset": 10,
    },
    "text": {"fontSize": 12, "color": INK},
}
"""The common look of all charts."""


def source_color(sources: Iterable[str], *, legend: bool = True) -> Spec:
    """The colour of a field `source`."""
    found = set(sources)
    present = [name for name in SOURCES if name in found]
    return {
        "field": "source",
        "type": "nominal",
        "scale": {"domain": present, "range": [SOURCES[name] for name in present]},
        "legend": {"labelExpr": f"{NAMES}[datum.label]", "symbolType": "circle"} if legend and present else None,
    }


def palette(colors: dict[str, str], field: str, width: int) -> Spec:
    """The colour of a field with fixed values."""
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(colors), "range": list(colors.values())},
        "legend": {
            "symbolType": "square",
            "columns": 2 if is_narrow(width) else 0,
            "labelExpr": "replace(datum.label, /_/g, ' ')",
        },
    }


def months_between(first: str, last: str) -> list[str]:
    """All months from one to another, as `YYYY-MM`."""
    start, end = (int(month[:4]) * 12 + int(month[5:7]) - 1 for month in (first, last))
    return [f"{month // 12:04}-{month % 12 + 1:02}" for month in range(start, end + 1)]


def month_axis(rows: Rows, width: int) -> Spec:
    """The axis of a field `month` (`YYYY-MM`), with as many labels as there is room for.

    Args:
        rows: The rows of all panels, so that they have the same months.
        width: The width of the axis in pixels.
    """
    present = sorted({row["month"] for row in rows})
    months = months_between(present[0], present[-1])
    room = max(2, width // 34)
    step = next((step for step in (1, 2, 3, 6, 12) if len(months) / step <= room), 24)
    shown = [month for month in months if (int(month[:4]) * 12 + int(month[5:]) - 1) % step == 0] or months[-1:]
    name = f"{MONTH_NAMES}[+slice(datum.value, 5) - 1]"
    year = "slice(datum.value, 0, 4)"
    label = f"slice(datum.value, 5) == '01' || datum.value == '{shown[0]}' ? [{name}, {year}] : {name}"
    if step >= len(MONTH_NAMES.split(",")):
        label = year
    axis = {"title": None, "values": shown, "labelExpr": label, "labelAngle": 0, "labelOverlap": False}
    return {"field": "month", "type": "ordinal", "scale": {"domain": months}, "axis": axis}


def amount_axis(field: str, top: float, *, format: str = ",.0f", bottom: float = 0, **options: Any) -> Spec:  # noqa: A002
    """The vertical axis of a quantity, with a domain that all panels share.

    Args:
        field: The field.
        top: The largest value.
        format: The format of the labels.
        bottom: The smallest value, if it is below zero.
        options: Further options of the axis.
    """
    ticks = round_steps(bottom, top, whole=format == ",.0f")
    defaults = {"title": None, "format": format, "values": ticks, "minExtent": 34, "maxExtent": 34}
    scale = {"domain": [ticks[0], ticks[-1]], "nice": False}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": {**defaults, **options}}


def round_steps(low: float, high: float, *, whole: bool) -> list[float]:
    """Four or so round values that enclose others, and zero.

    Args:
        low: The smallest value.
        high: The largest value.
        whole: Whether only whole numbers make sense.
    """
    low, high = min(low, 0), max(high, 0)
    rough = (high - low or 1) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.9)
    if whole:
        step = max(1, math.ceil(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, max(last, first + 1) + 1)]


def bar_width(rows: Rows, width: int) -> float:
    """The width of a bar on a `month_axis` in pixels."""
    present = sorted({row["month"] for row in rows})
    return min(36, width / len(months_between(present[0], present[-1])) * 0.88)


def largest(rows: Rows, *fields: str) -> float:
    """The largest value of fields, ignoring missing ones."""
    return max((float(row[field]) for row in rows for field in fields if row[field] is not None), default=0.0)


def in_panels(
    keys: Sequence[Any], draw: Callable[[Any, int], Spec], width: int, columns: int, *, axis: int = 42
) -> Spec:
    """Charts side by side, and below each other when there is no more room.

    Args:
        keys: What there is a chart of.
        draw: Draws a chart: the key, and the width of its plot.
        width: The width of all.
        columns: The largest number of charts side by side.
        axis: The room that an axis takes in pixels.
    """
    columns = max(1, min(columns, len(keys)))
    spacing = 24
    plot = math.floor((width - 14 - axis * columns - spacing * (columns - 1)) / columns)
    charts = [draw(key, plot) for key in keys]
    if len(charts) == 1:
        return charts[0]
    return {"concat": charts, "columns": columns, "spacing": spacing, "resolve": {"legend": {"color": "shared"}}}
