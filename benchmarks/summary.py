"""The medians of the runs of a case."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.cases import OURS, PEERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cases import Case


@dataclass(frozen=True)
class Summary:
    """The runs of a peer in a case.

    Args:
        runs: Its results that did not fail.
        error: Why the last run failed. None if a run succeeded.
    """

    runs: Sequence[dict[str, Any]]
    error: str | None = None

    def median(self, name: str) -> float:
        """Returns the median of a value: `seconds`, `cpu`, `peak_memory_mb`."""
        return float(median(run[name] for run in self.runs))

    def server_median(self, name: str) -> float:
        """Returns the median of a value that the server counted, such as `requests`."""
        return float(median(run["server"][name] for run in self.runs))


class Summaries:
    """The summaries of all cases.

    Args:
        results: The results of all runs.
    """

    def __init__(self, results: Sequence[dict[str, Any]]) -> None:
        self._results = results

    def find_by_peer(self, case: Case) -> dict[str, Summary]:
        """Returns the summaries of a case by peer, as far as it has run."""
        found: dict[str, Summary] = {}
        of_case = [result for result in self._results if result["case"] == case.key]
        for peer in PEERS:
            runs = [result for result in of_case if result["peer"] == peer]
            good = [run for run in runs if not run["error"]]
            if runs:
                found[peer] = Summary(good, None if good else runs[-1]["error"])
        return found

    def find_measured(self, cases: Sequence[Case], peer: str = OURS) -> list[tuple[Case, Summary]]:
        """Returns the cases in which a peer has run without failing, with its summaries."""
        pairs = [(case, self.find_by_peer(case).get(peer)) for case in cases]
        return [(case, summary) for case, summary in pairs if summary and summary.runs]
