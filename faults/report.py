"""The page of figures, `docs/reliability.md`, from what all parts took down."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from faults.verdict import FAILURES, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faults.trials import Outcome

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
GOOD = tuple(verdict for verdict in Verdict if verdict not in FAILURES)
PARTS = {
    "killer": "Stopped at any moment",
    "meltano": "Stopped under Meltano",
    "proxy": "Bad answers",
    "mutator": "Odd values",
    "days": "Days of a company",
    "pairs": "Two at once",
    "markers": "Planted words",
}
"""By part: its heading."""

SAYS = {
    "killer": "SIGKILL, SIGTERM, SIGINT or a broken pipe, of the tap, the loader or both; at a request, at a new "
    "token, after so many bytes, in the middle of a commit; first runs, full refreshes, incremental runs; "
    "at Factorial half of them with a login whose refresh token changes with each use. Then runs from the "
    "committed state, until one succeeds: every row and value must be right. *New login needed* counts "
    "logins that were lost because the vendor had changed the token and the process was killed before it "
    "had the answer.",
    "meltano": "The same under `meltano run`: Meltano alone, all of it as Ctrl-C does, the tap or the loader. Then "
    "`meltano run` until it succeeds.",
    "proxy": "Each kind of bad answer once for each vendor, at an endpoint and a request that the seed chooses: "
    "what passes, and what stays. A run that says it succeeded and names no stream must have every row; "
    "after any run, the next one without a fault must make all rows right.",
    "mutator": "Values of any kind in place of any field's, in bodies of each list that the sandbox serves as JSON. "
    "All other fields, records and streams must be as if nothing had been, and no column may be of "
    "another type for good.",
    "days": "Each day records come, change and go. Every row is compared every day; what is deleted must show "
    "when all is read, also where a read of everything failed the day before. On one day a permission is "
    "missing.",
    "pairs": "Two runs at once into one file, and with one file of tokens.",
    "markers": "Words in credentials, tokens, webhooks' secrets, names and pay, looked for in logs (at their most "
    "talkative), messages, states and files that others can read; secrets in the loaded data, too.",
}


@dataclass(frozen=True)
class Made:
    """How the figures were made.

    Args:
        day: When.
        seed: Of all choices.
        minutes: How long it took.
    """

    day: str
    seed: int
    minutes: int


def write(outcomes: Sequence[Outcome], made: Made) -> Path:
    """Write the page; where."""
    PAGE.write_text(page(outcomes, made))
    return PAGE


def page(outcomes: Sequence[Outcome], made: Made) -> str:
    """The page's text."""
    by_part: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_part[outcome.part].append(outcome)
    trials = sum(outcome.count for outcome in outcomes)
    broken = sum(outcome.count for outcome in outcomes if outcome.failed)
    kept = "Every promise was kept." if not broken else f"**{broken} broke a promise.**"
    lines = [
        "# Reliability",
        "",
        "<!-- Written by `make faults`; do not edit. -->",
        "",
        "What taps and the loader do when things go wrong, tried against the sandbox: an invented company behind the",
        "vendors' APIs. The rows in the DuckDB file are compared with the sandbox's own, every row and every value.",
        "",
        f"{trials:,} trials on {made.day}, in {made.minutes} minutes. {kept}",
        "",
        _versions(),
        "",
        *_table("part", {PARTS[part]: by_part[part] for part in PARTS if part in by_part}),
        "",
        *_legend(),
    ]
    for part, heading in PARTS.items():
        if part in by_part:
            kinds: defaultdict[str, list[Outcome]] = defaultdict(list)
            for outcome in by_part[part]:
                kinds[outcome.kind].append(outcome)
            lines += ["", f"## {heading}", "", SAYS[part], ""]
            lines += _table("kind", dict(sorted(kinds.items())))
            lines += ["", _by_vendor(by_part[part])]
    lines += ["", "## Again", "", *_again(made)]
    return "\n".join([*lines, ""])


def _versions() -> str:
    names = ("duckdb", "singer-sdk", "meltano", "requests", "urllib3", "msgspec")
    found = ", ".join(f"{name} {version(name)}" for name in names)
    return f"Python {platform.python_version()}, {found}; {platform.system()}."


def _table(head: str, rows: dict[str, list[Outcome]]) -> list[str]:
    """Trials by verdict; verdicts that promise nothing bad are columns of their own only where they occur."""
    counts = {name: _counts(outcomes) for name, outcomes in rows.items()}
    shown = [verdict for verdict in GOOD if any(count[verdict] for count in counts.values())]
    columns = [*shown, *FAILURES]
    lines = [f"| {head} | trials | {' | '.join(verdict.value for verdict in columns)} |"]
    lines.append(f"|---|{'---:|' * (1 + len(columns))}")
    for name, count in counts.items():
        cells = [f"{count.total():,}", *(f"{count[verdict]:,}" for verdict in columns)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _counts(outcomes: Iterable[Outcome]) -> Counter[Verdict]:
    found: Counter[Verdict] = Counter()
    for outcome in outcomes:
        found[outcome.verdict] += outcome.count
    return found


def _by_vendor(outcomes: Iterable[Outcome]) -> str:
    found: Counter[str] = Counter()
    for outcome in outcomes:
        found[outcome.vendor] += outcome.count
    return "By tap: " + ", ".join(f"tap-{vendor} {count:,}" for vendor, count in sorted(found.items())) + "."


def _legend() -> list[str]:
    return [
        "- **exact**: every row and value is there, nothing else is live, nothing live is marked as deleted.",
        "- **failed aloud**: something is missing, and the exit code or a warning that names the stream said so; the",
        "  next run made it right.",
        "- **wrong without a word**, **hang**, **not repaired by the next run**, **other promise broken** (an exit",
        "  code, a cut line, a traceback, a word where it must not be) are failures: `make faults` then fails, too.",
    ]


def _again(made: Made) -> list[str]:
    return [
        f"`make faults` makes all of it again, `make faults SEED={made.seed + 1}` with other choices, and",
        "`make faults PART=proxy` one part. A single trial is made again with what a failure prints:",
        "",
        f"    python -m faults proxy --vendor factorial --seed {made.seed} --trial 12",
    ]
