"""The cases to measure, which become the rows of the tables and the points of the curves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS, TUNED, REST_API, DEFAULT, PUBLISHED = "ours", "dlt_tuned", "dlt_rest_api", "dlt_default", "published"
PEERS = {
    OURS: "tap and target-duckdb",
    TUNED: "dlt, tuned by hand",
    REST_API: "dlt, `rest_api`, Parquet",
    DEFAULT: "dlt, `rest_api`, its default format",
    PUBLISHED: "plain SDK tap, published target-duckdb 0.8.0",
}
FAST = (OURS, TUNED)
ALL = (OURS, TUNED, REST_API, DEFAULT, PUBLISHED)
GROUPS = ("table", "vendors", "rows", "in_flight", "latency", "limits")
"""The tables and curves."""
APPEND, UPSERT = "append-only", "upsert"


@dataclass(frozen=True)
class Case:
    """A case in which peers are compared.

    Args:
        dataset: The name of the data set.
        rows: The number of rows.
        peers: The names of the peers that load it.
        latency_ms: Milliseconds between a request and its response.
        in_flight: Requests at a time, for those who can.
        limit: Requests per second that the server accepts; 0 for any number.
        load_method: `append-only`, or `upsert` by key.
        again: Whether the table already holds the rows before the run.
        batches: Whether our tap writes BATCH files.
    """

    dataset: str
    rows: int
    peers: tuple[str, ...] = FAST
    latency_ms: float = 0
    in_flight: int = 16
    limit: float = 0
    load_method: str = UPSERT
    again: bool = False
    batches: bool = False

    @property
    def key(self) -> dict[str, Any]:
        """The attributes that identify the case, which are all but the peers."""
        return {name: value for name, value in asdict(self).items() if name != "peers"}

    @property
    def title(self) -> str:
        """A title of a few words."""
        words = [f"{abbreviate(self.rows)} {self.dataset}", f"{self.latency_ms:g} ms"]
        if self.latency_ms or self.limit:
            words.append(f"{self.in_flight} in flight")
        if self.limit:
            words.append(f"at most {self.limit:g} requests/s")
        words.append({APPEND: "append", UPSERT: "upsert"}[self.load_method])
        words += ["over the same rows"] * self.again + ["BATCH files"] * self.batches
        return ", ".join(words)


@dataclass(frozen=True)
class Plan:
    """All cases, by the table or curve that shows them.

    Args:
        table: The comparison with all peers.
        vendors: The data sets of the other vendors.
        rows: The curve over rows.
        in_flight: The curve over requests in flight.
        latency: The curve over latencies.
        limits: The runs under a rate limit.
        repeats: How often the fast peers run, by the name of the table or curve. Those that are not named run once.
    """

    table: list[Case]
    vendors: list[Case]
    rows: list[Case]
    in_flight: list[Case]
    latency: list[Case]
    limits: list[Case]
    repeats: Mapping[str, int]

    @property
    def cases(self) -> list[Case]:
        """All cases in the order in which they run. Cases with equal keys are joined."""
        joined: dict[str, Case] = {}
        for case in (*self.table, *self.vendors, *self.limits, *self.in_flight, *self.latency, *self.rows):
            before = joined.get(str(case.key))
            peers = dict.fromkeys((*(before.peers if before else ()), *case.peers))
            joined[str(case.key)] = replace(case, peers=tuple(peers))
        return list(joined.values())

    def count_repeats(self, case: Case, peer: str) -> int:
        """Returns how often a peer runs. Slow peers and very long cases run once."""
        is_slow = peer not in FAST or case.limit or case.rows >= 10 * self.table[0].rows
        groups = [
            group
            for group in GROUPS
            if any(other.key == case.key and peer in other.peers for other in getattr(self, group))
        ]
        most = max((self.repeats.get(group, 1) for group in groups), default=0)
        return min(most, 1) if is_slow else most


def abbreviate(rows: int) -> str:
    """Abbreviates a number of rows, such as 10k or 1M."""
    if rows % 1_000_000 == 0:
        return f"{rows // 1_000_000}M"
    return f"{rows // 1_000}k" if rows % 1_000 == 0 else f"{rows:,}"


def make_plan(rows: int, repeats: Mapping[str, int], *, quick: bool = False) -> Plan:
    """Returns the plan: the cases, and how often each peer runs them.

    Args:
        rows: Rows of the large cases. The others have a tenth, the largest ten times as many.
        repeats: How often the fast peers run, by group; 0 leaves a group out.
        quick: Whether to leave out the largest point and the slowest peers, and thin out the curves.
    """
    small = max(rows // 10, 1_000)
    attendances = Case("attendances", rows)
    fewer = replace(attendances, rows=small)
    slow = FAST if quick else (OURS, TUNED, REST_API, PUBLISHED)
    return Plan(
        table=[
            replace(attendances, load_method=APPEND),
            attendances,
            replace(attendances, again=True),
            replace(fewer, peers=ALL),
            replace(fewer, latency_ms=50, peers=slow),
            replace(fewer, latency_ms=50, in_flight=8),
            Case("attendance_periods", small, slow, latency_ms=50, in_flight=12),
            replace(attendances, batches=True, load_method=APPEND),
        ],
        vendors=[
            Case("attendances", small),
            Case("attendance_periods", small),
            Case("attendance_shifts", small, (*FAST, REST_API, PUBLISHED)),
            Case("transcript_core", small, (*FAST, REST_API, PUBLISHED)),
        ],
        rows=[
            replace(attendances, rows=count) for count in (rows // 100, small, rows, *([] if quick else [rows * 10]))
        ],
        in_flight=[
            replace(fewer, latency_ms=50, in_flight=count) for count in ((1, 4, 16) if quick else (1, 2, 4, 8, 16, 32))
        ],
        latency=[replace(fewer, latency_ms=latency) for latency in (0, 50, 150)],
        limits=[
            Case("attendance_periods", 10_000 if quick else 30_000, latency_ms=latency, limit=10)
            for latency in (0, 150)
        ],
        repeats=repeats,
    )
