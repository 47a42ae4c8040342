"""Writes the report `docs/reliability.md` from the results of all parts."""

from __future__ import annotations

import platform
import re
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

LAST_HEADING = "## Repeat a run"
WEBHOOKS_HEADING = "## Webhooks"
WEBHOOKS = re.compile(rf"^{WEBHOOKS_HEADING}\n.*?(?=^{LAST_HEADING})", re.DOTALL | re.MULTILINE)
WEBHOOKS_DESCRIPTION = """\
The sandbox's company changes 10,000 times, 500 times a second, and the three vendors send events of the
changes to `hr-webhooks serve`: up to two seconds late and in another order, one in ten of them twice. One in
ten of Personio's records is not found for a second. Meanwhile the receiver, the followers (`hr-webhooks
follow`), their taps and their loaders are killed (SIGKILL) at 50 random moments and started again at once; at
last all that reads at the same time, because a follower that is left alive waits for up to five minutes after
several failures in succession. Afterwards

- the journal must have every request that was acknowledged, as often as it was, at positions without holes;
- the tables of events must have every event of the journal once, and repetitions must have the same `id`;
- `persons`, `employments`, `absence_periods` and `attendance_periods` of Personio, `employees_employees`,
  `timeoff_leaves` and `attendance_shifts` of Factorial, and `employees` and `transcripts` of Cornerstone must
  equal those of a full load into other files;
- the vendors must have waited less than 3 seconds for each answer, and the tables must be right within 15
  seconds.

What changes without an event is left out: the name of the person in Factorial's leaves; at Cornerstone the
names of employees and managers, and the trainings that are assigned to somebody who was hired.

Then the receiver is attacked over raw sockets: with wrong secrets and addresses, wrong and contradictory
lengths, broken and tiny chunks, compressed bodies of up to 2 GB, what is hardly HTTP, and 300 senders of a
byte now and then. No attack may have an effect on the journal, and after each of them a good event must be
answered within a second."""


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
    """Writes the report, and keeps the section about webhooks. Returns its path."""
    webhooks = WEBHOOKS.search(PAGE.read_text())
    page = render_report(outcomes, info)
    PAGE.write_text(_insert(page, webhooks[0]) if webhooks else page)
    return PAGE


def write_webhooks(outcomes: Sequence[Outcome], info: RunInfo) -> Path:
    """Replaces the section about webhooks, which are measured on their own. Returns the page's path."""
    PAGE.write_text(_insert(PAGE.read_text(), render_webhooks(outcomes, info)))
    return PAGE


def _insert(page: str, section: str) -> str:
    return WEBHOOKS.sub("", page).replace(LAST_HEADING, f"{section}{LAST_HEADING}")


def render_webhooks(outcomes: Sequence[Outcome], info: RunInfo) -> str:
    """Renders the section about webhooks."""
    by_category: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_category[outcome.category].append(outcome)
    lines = [WEBHOOKS_HEADING, "", WEBHOOKS_DESCRIPTION, ""]
    lines += [f"On {info.day}, with seed {info.seed}, in {info.minutes} minutes:", ""]
    lines += [f"- {outcome.description}" for outcome in outcomes if outcome.trial == 0]
    lines += ["", *_make_table("kind", dict(by_category)), "", ""]
    return "\n".join(lines)


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
    lines += ["", LAST_HEADING, "", *_explain_how_to_repeat(info)]
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
