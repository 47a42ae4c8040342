"""Writes the report `docs/reliability.md` from the results of all parts."""

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

    from faults.results import Outcome

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
SUCCESSES = tuple(verdict for verdict in Verdict if verdict not in FAILURES)
PARTS = {
    "killer": "Stopped at any point",
    "meltano": "Stopped under Meltano",
    "proxy": "Faulty responses",
    "mutator": "Mutated values",
    "days": "Simulated days",
    "pairs": "Concurrent runs",
    "markers": "Planted markers",
    "profiles": "Privacy profiles",
}
"""Headings by part."""

DESCRIPTIONS = {
    "killer": "The tap, the loader or both are stopped by SIGKILL, SIGTERM, SIGINT or a broken pipe: at a request, at "
    "a token renewal, after a number of bytes or during a commit; in first runs, full refreshes and incremental "
    "runs; at Factorial half of them with rotating refresh tokens. Reruns from the committed state, until one "
    "succeeds, must load every row and value. *New login needed* counts logins that were lost because the "
    "vendor had rotated the token and the process was killed before it received the response.",
    "meltano": "The same under `meltano run`: Meltano alone, its whole process group as Ctrl-C does, the tap or the "
    "loader is stopped. Then `meltano run` is repeated until it succeeds.",
    "proxy": "Each kind of faulty response once per vendor, temporary or permanent, at an endpoint and a request that "
    "the seed chooses. A run that succeeds and names no stream must have loaded every row; the next run without "
    "faults must load every row in any case.",
    "mutator": "Field values in the sandbox's JSON responses are replaced with arbitrary ones. All other fields, "
    "records and streams must be unaffected, and no column may keep another type.",
    "days": "Each day records are created, changed and deleted, and every row is compared. Deletions must show with a "
    "full refresh, even if the previous one failed. On one day a permission is missing.",
    "pairs": "Two concurrent runs that share a database or a token file.",
    "markers": "Markers in credentials, tokens, webhook secrets, names and pay are searched for in logs (at level "
    "DEBUG), messages, states and files that others can read; secrets also in the loaded data.",
    "profiles": "Markers in every field of every record, and in fields that no schema has, are searched for in all "
    "that a run writes: output, logs at level DEBUG, states, BATCH and temporary files, the database and its bytes. A "
    "run that loads everything shows where each stands. Under a privacy profile, those of values that it keeps must "
    "all be loaded, and no other may be anywhere.",
}


@dataclass(frozen=True)
class RunInfo:
    """The date, seed and duration of the trials that a report is about.

    Args:
        day: Date of the run.
        seed: Seed of all random choices.
        minutes: Duration.
    """

    day: str
    seed: int
    minutes: int


def write_report(outcomes: Sequence[Outcome], info: RunInfo) -> Path:
    """Writes the report. Returns its path."""
    PAGE.write_text(render_report(outcomes, info))
    return PAGE


def render_report(outcomes: Sequence[Outcome], info: RunInfo) -> str:
    """Renders the report."""
    by_part: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_part[outcome.part].append(outcome)
    count = sum(outcome.count for outcome in outcomes)
    failed = sum(outcome.count for outcome in outcomes if outcome.failed)
    conclusion = "None failed." if not failed else f"**{failed} failed.**"
    lines = [
        "# Reliability",
        "",
        "<!-- Written by `make faults`; do not edit. -->",
        "",
        "How the taps and the loader handle faults, tested against the sandbox, which serves the vendors' APIs for a",
        "fictitious company. Every row and value in the DuckDB file is compared with the sandbox's data.",
        "",
        f"{count:,} fault-injection cases on {info.day}, in {info.minutes} minutes. {conclusion}",
        "",
        _describe_versions(),
        "",
        *_make_table("part", {PARTS[part]: by_part[part] for part in PARTS if part in by_part}),
        "",
        *_make_legend(),
    ]
    for part, heading in PARTS.items():
        if part in by_part:
            by_category: defaultdict[str, list[Outcome]] = defaultdict(list)
            for outcome in by_part[part]:
                by_category[outcome.category].append(outcome)
            lines += ["", f"## {heading}", "", DESCRIPTIONS[part], ""]
            lines += _make_table("kind", dict(sorted(by_category.items())))
            lines += ["", _summarize_by_vendor(by_part[part])]
            if part == "profiles":
                lines += ["", *(f"- tap-{outcome.vendor}, {outcome.description}" for outcome in by_part[part])]
    lines += ["", "## Repeat a run", "", *_explain_how_to_repeat(info)]
    return "\n".join([*lines, ""])


def _describe_versions() -> str:
    names = ("duckdb", "singer-sdk", "meltano", "requests", "urllib3", "msgspec")
    found = ", ".join(f"{name} {version(name)}" for name in names)
    return f"Python {platform.python_version()}, {found}; {platform.system()}."


def _make_table(head: str, rows: dict[str, list[Outcome]]) -> list[str]:
    """Returns a table of cases by verdict. Verdicts other than failures have a column only if they occur."""
    counts = {name: _count_verdicts(outcomes) for name, outcomes in rows.items()}
    shown = [verdict for verdict in SUCCESSES if any(count[verdict] for count in counts.values())]
    columns = [*shown, *FAILURES]
    lines = [f"| {head} | cases | {' | '.join(verdict.value for verdict in columns)} |"]
    lines.append(f"|---|{'---:|' * (1 + len(columns))}")
    for name, count in counts.items():
        cells = [f"{count.total():,}", *(f"{count[verdict]:,}" for verdict in columns)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _count_verdicts(outcomes: Iterable[Outcome]) -> Counter[Verdict]:
    found: Counter[Verdict] = Counter()
    for outcome in outcomes:
        found[outcome.verdict] += outcome.count
    return found


def _summarize_by_vendor(outcomes: Iterable[Outcome]) -> str:
    found: Counter[str] = Counter()
    for outcome in outcomes:
        found[outcome.vendor] += outcome.count
    return "By tap: " + ", ".join(f"tap-{vendor} {count:,}" for vendor, count in sorted(found.items())) + "."


def _make_legend() -> list[str]:
    return [
        "- **exact**: the live rows are exactly the expected ones, with every value.",
        "- **failed and reported**: something is missing, as the exit code or a warning that names the stream says;",
        "  the next run loaded it.",
        "- **silently wrong**, **hang**, **not recovered by the next run**, **other violation** (an exit code, an",
        "  incomplete line, a traceback, a leaked value) are failures. `make faults` then fails, too.",
    ]


def _explain_how_to_repeat(info: RunInfo) -> list[str]:
    return [
        f"`make faults` repeats all of it, `make faults SEED={info.seed + 1}` makes other random choices, and",
        "`make faults PART=proxy` runs one part. A failure prints the command that repeats it:",
        "",
        f"    python -m faults proxy --vendor factorial --seed {info.seed} --trial 12",
    ]
