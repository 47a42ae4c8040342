"""Draws line charts as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 44, 48
COLORS = ("#1f6feb", "#d1570b", "#2a7f3f", "#8250df", "#6e7781")
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Chart:
    """A chart with the points of each line.

    Args:
        title: The title.
        x_label: What the x axis shows.
        y_label: What the y axis shows.
        lines: Points by the name of their line.
        log_x: Whether the x axis is logarithmic.
        log_y: Whether the y axis is logarithmic.
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    log_x: bool = False
    log_y: bool = False

    def render_svg(self) -> str:
        """Returns the chart."""
        points = [point for line in self.lines.values() for point in line]
        xs = sorted({x for x, _ in points})
        y_ticks = choose_ticks(max(y for _, y in points), min(y for _, y in points) if self.log_y else None)
        box = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            _render_text(LEFT, 20, self.title, "start", "bold"),
            _render_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, self.x_label),
            _render_text(LEFT, 36, self.y_label, "start"),
        ]
        for tick in y_ticks:
            y = self._scale_y(tick, y_ticks)
            parts += [
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dee4"/>',
                _render_text(LEFT - 6, y + 4, _format_number(tick), "end"),
            ]
        parts += [_render_text(self._scale_x(x, xs), HEIGHT - BOTTOM + 18, _format_number(x)) for x in xs]
        for place, (name, line) in enumerate(self.lines.items()):
            color = COLORS[place % len(COLORS)]
            spots = [(self._scale_x(x, xs), self._scale_y(y, y_ticks)) for x, y in sorted(line)]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in spots]
            beginning = WIDTH - RIGHT - 180 * (len(self.lines) - place)
            parts += [
                f'<rect x="{beginning}" y="27" width="10" height="10" fill="{color}"/>',
                _render_text(beginning + 16, 36, name, "start"),
            ]
        return "\n".join([*parts, "</svg>", ""])

    def _scale_x(self, x: float, xs: Sequence[float]) -> float:
        scale = math.log if self.log_x else float
        low, high = scale(xs[0]), scale(xs[-1])
        return LEFT + 12 + (WIDTH - LEFT - RIGHT - 24) * ((scale(x) - low) / (high - low) if high > low else 0.5)

    def _scale_y(self, y: float, y_ticks: Sequence[float]) -> float:
        scale = math.log if self.log_y else float
        low, high = scale(y_ticks[0]), scale(y_ticks[-1])
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (scale(y) - low) / (high - low)


def choose_ticks(highest: float, lowest: float | None = None) -> list[float]:
    """Returns round numbers that cover the values: from 0, or logarithmic ones from the lowest value."""
    if lowest is not None:
        first, last = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
        return [10.0**power for power in range(first, max(last, first + 1) + 1)]
    step = next(
        size * 10.0**power
        for power in range(-6, 12)
        for size in STEPS
        if highest / (size * 10.0**power) <= 6  # noqa: PLR2004 - lines
    )
    return [step * number for number in range(math.ceil(highest / step) + 1)] if highest else [0.0, 1.0]


def _format_number(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _render_text(x: float, y: float, text: str, anchor: str = "middle", weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" fill="#24292f"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
