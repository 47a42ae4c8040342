"""Entity diagrams in Mermaid, drawn from the ids that refer to other streams."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from docsite.catalog import list_described_streams

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 20
"""Streams in a diagram. With more, it cannot be read."""
LEAD = f"""An arrow leads from a stream with an id to the stream that it refers to. Each diagram has the {MOST} streams
with the most references, without Factorial's company, to which most of its streams refer. Their pages list all.
Streams in italics are off by default."""
COMPANY = "api_public_credentials"
LABELS = {"tap-personio": "Personio", "tap-factorial": "Factorial", "tap-cornerstone": "Cornerstone"}


def make_page() -> str:
    """Returns the page with a diagram per vendor."""
    parts = [
        "# Entity diagrams",
        LEAD,
        *(f"## {label}\n\n```mermaid\n{draw_diagram(tap)}\n```" for tap, label in LABELS.items()),
    ]
    return "\n\n".join(parts) + "\n"


def draw_diagram(tap: str) -> str:
    """Returns a tap's diagram."""
    links = set(_find_links(tap))
    degree = Counter(name for link in links for name in link)
    shown = {name for name, _ in sorted(degree.items(), key=lambda item: (-item[1], item[0]))[:MOST]}
    lines = [f"  {name}[<i>{name}</i>]" for name in sorted(shown) if list_described_streams(tap)[name].is_off]
    lines += [f"  {one} --> {other}" for one, other in sorted(links) if {one, other} <= shown]
    return "\n".join(["flowchart LR", *lines])


def _find_links(tap: str) -> Iterable[tuple[str, str]]:
    known = list_described_streams(tap)
    for name, stream in known.items():
        if stream.stream.setting == "legacy_v1_streams":
            continue
        yield from ((name, other) for _, other in stream.references if other in known and COMPANY not in {name, other})
