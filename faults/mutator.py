"""Replaces field values in responses with arbitrary ones and checks what happens to them and to everything else.

A mutated value must arrive unchanged or in `_extra`, or its record must be rejected with a warning, or its stream must
report a failure. All other fields, records and streams must be unaffected. Each run mutates many values at once.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_rest import nesting
from singer_rest.testing import canonical_value

from faults import mutated_values, verdict
from faults.equivalence import is_equivalent, make_canonical_key, parse_finite_number
from faults.pipeline_run import Mode
from faults.results import Outcome
from faults.testbench import TestBench
from faults.trial_environment import TrialEnvironment
from faults.vendors import VENDORS, Key, Row, key_of
from faults.verdict import Verdict

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

    from faults.results import Options, ResultLog
    from faults.wire import Request, Response, Step

PART = "mutator"
VENDOR_FIELDS = {"_meta", "_last_touched_dt_utc"}
"""Underscored names that the vendor sends. Others are added by the sandbox, for values from the URL."""

SURROGATE = re.compile("[\ud800-\udfff]")
LIMIT = 180.0


@dataclass(frozen=True)
class MutationRound:
    """A run with many mutated values.

    Args:
        name: Name in the report.
        choices: Values to choose from, as JSON texts.
        per_stream: Approximate number of records to mutate per stream.
        keys: Whether to mutate key fields only; otherwise all but those.
    """

    name: str
    choices: tuple[str, ...]
    per_stream: int
    keys: bool = False


FIELDS = MutationRound("a field", mutated_values.VALID, 6)
KEYS = MutationRound("a key", mutated_values.VALID, 1, keys=True)
UNUSUAL = MutationRound("a field, unusual values", mutated_values.UNUSUAL, 2)
VIOLATION = MutationRound("invalid JSON", mutated_values.INVALID_JSON, 1)
ROUNDS: dict[str, tuple[MutationRound, ...]] = {
    "personio": (*[FIELDS] * 5, KEYS, KEYS, UNUSUAL, VIOLATION),
    "factorial": (FIELDS, FIELDS, KEYS, UNUSUAL, VIOLATION),
    "cornerstone": (FIELDS, FIELDS, FIELDS, KEYS, UNUSUAL, VIOLATION),
}


@dataclass(frozen=True)
class Mutation:
    """A mutated value.

    Args:
        stream: Stream of the record.
        key: Original key of the record.
        path: Field names that lead to the value.
        text: The new value, as JSON.
        body: The sandbox's original record.
    """

    stream: str
    key: Key
    path: tuple[str, ...]
    text: str
    body: Row

    def __str__(self) -> str:
        return f"{self.stream}.{'.'.join(self.path)} = {self.text[:60]}"

    def make_mutated_record(self) -> Row:
        """Returns the record with the new value, as it should be loaded."""
        body = json.loads(json.dumps(self.body))
        inner = body
        for name in self.path[:-1]:
            inner = inner[name]
        last = self.path[-1]
        # Some texts add a property after the value, which is then a property of the enclosing object.
        text = f"{{{json.dumps(last)}: {self.text}}}" if isinstance(inner, dict) else self.text
        try:
            found = json.loads(text, parse_float=Decimal)
        except RecursionError:
            found = json.loads(nesting.limit_depth(text), parse_float=Decimal)
        members = found if isinstance(inner, dict) else {last: found}
        for name, value in members.items():
            # The loader keeps a lone surrogate as six characters of text.
            inner[name] = SURROGATE.sub(_escape_surrogate, value) if isinstance(value, str) else value
        return dict(body)


class Mutator:
    """Mutates values in the vendor's responses, reproducibly by seed.

    Args:
        bench: The sandbox.
        round_: The values to mutate.
        rng_for: Returns the source of random choices for a stream and key.
    """

    def __init__(self, bench: TestBench, round_: MutationRound, rng_for: Callable[..., random.Random]) -> None:
        self.round = round_
        self.mutations: dict[tuple[str, Key], Mutation] = {}
        self._lock = threading.Lock()
        self._unmutated = bench.vendor.unmutated
        self._chosen: dict[str, Mutation] = {}
        self._key_values: defaultdict[str, set[str]] = defaultdict(set)
        bodies = bench.fetch_bodies(bench.keys)
        known: defaultdict[str, list[Mutation]] = defaultdict(list)
        nested: set[str] = set()
        for stream, rows in bodies.items():
            expected_rows = bench.vendor.expected_rows(stream, rows)
            for body, row in zip(rows, expected_rows, strict=True) if bench.keys[stream] else ():
                mutation = Mutation(stream, key_of(bench.keys[stream], row), (), "", body)
                self._key_values[stream] |= {*make_canonical_key(mutation.key)}
                nested.update(map(_to_json, _find_nested_objects(body)))
                known[_to_json(_select_vendor_fields(body))].append(mutation)
        for text, mutations in known.items():
            if len(mutations) == 1 and text not in nested:  # identical objects cannot be told apart
                (mutation,) = mutations
                rng = rng_for(mutation.stream, *mutation.key)
                if rng.random() < round_.per_stream / len(bodies[mutation.stream]):
                    self._add_mutation(text, mutation, bench.keys[mutation.stream], rng)

    def _add_mutation(self, text: str, mutation: Mutation, key: Sequence[str], rng: random.Random) -> None:
        key_fields = {name for name in mutation.body if name.removeprefix("_") in key} | ({"id"} & mutation.body.keys())
        paths = [
            path
            for path in _list_paths(_select_vendor_fields(mutation.body))
            if (path[0] in key_fields) == self.round.keys and path[0] not in self._unmutated.get(mutation.stream, ())
        ]
        if not paths:
            return
        chosen = replace(mutation, path=rng.choice(paths), text=rng.choice(self.round.choices))
        if self.round.keys:
            # Two records with one key could not be told apart.
            (value,) = make_canonical_key((str(canonical_value(json.loads(chosen.text, parse_float=Decimal))),))
            if value in self._key_values[mutation.stream]:
                return
            self._key_values[mutation.stream].add(value)
        self._chosen[text] = chosen

    def __call__(self, _request: Request, forward: Callable[[], Response]) -> Iterable[Step] | None:
        """Returns the vendor's response with mutated values."""
        response = forward()
        try:
            document = json.loads(response.body)
        except ValueError:
            return None
        texts: list[str] = []
        self._replace_values(document, texts)
        if not texts:
            return None
        body = json.dumps(document)
        for number, text in enumerate(texts):
            body = body.replace(f'"{_make_placeholder(number)}"', text, 1)
        return [replace(response, body=body.encode("utf-8", "surrogatepass")).to_bytes()]

    def _replace_values(self, document: Any, texts: list[str]) -> None:  # noqa: ANN401 - any JSON
        if isinstance(document, list):
            for inner in document:
                self._replace_values(inner, texts)
        elif isinstance(document, dict):
            mutation = self._chosen.get(_to_json(document))
            if mutation is None:
                for inner in document.values():
                    self._replace_values(inner, texts)
                return
            with self._lock:
                self.mutations[mutation.stream, mutation.key] = mutation
            for name in mutation.path[:-1]:
                document = document[name]
            document[mutation.path[-1]] = _make_placeholder(len(texts))
            texts.append(mutation.text)


def _make_placeholder(number: int) -> str:
    return f"@@mutated {number}@@"


def _escape_surrogate(surrogate: re.Match[str]) -> str:
    return f"\\u{ord(surrogate[0]):04x}"


def _to_json(document: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(document, sort_keys=True)


def _select_vendor_fields(body: Row) -> Row:
    return {name: value for name, value in body.items() if not name.startswith("_") or name in VENDOR_FIELDS}


def _find_nested_objects(value: Any) -> Iterable[Row]:  # noqa: ANN401 - any JSON
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict):
            yield inner
        if isinstance(inner, (dict, list)):
            yield from _find_nested_objects(inner)


def _list_paths(value: Any, above: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:  # noqa: ANN401 - any JSON
    for name, inner in value.items():
        yield (*above, name)
        if isinstance(inner, dict):
            yield from _list_paths(inner, (*above, name))


def run(options: Options, results: ResultLog) -> None:
    """Runs the part's rounds."""
    for name in options.vendors:
        with TestBench(VENDORS[name], options.folder / name, options.seed) as bench:
            bench.build_references()
            rounds = ROUNDS[name]
            for number in options.choose_trial_numbers(len(rounds), PART, name):
                for outcome in run_trial(bench, number, rounds[number], options):
                    results.add_outcome(outcome)


def run_trial(bench: TestBench, number: int, round_: MutationRound, options: Options) -> list[Outcome]:
    """Runs once with mutated values and assesses each one. The next run must succeed."""
    started = time.monotonic()
    mutator = Mutator(bench, round_, lambda *names: options.make_rng(PART, bench.vendor.name, number, *names))
    env = TrialEnvironment(bench, Mode.FIRST, list(bench.keys))
    bench.proxy.interceptor = mutator
    try:
        result = env.run(LIMIT)
    finally:
        bench.proxy.interceptor = None
    assessment = MutationAssessment(env, list(mutator.mutations.values()), result.log, failed=not result.succeeded)

    def outcome(found: Verdict, description: str, detail: str = "", count: int = 1) -> Outcome:
        seconds = time.monotonic() - started
        return Outcome(PART, bench.vendor.name, number, round_.name, found, description, detail, count, seconds)

    if result.hung:
        return [outcome(Verdict.HANG, f"{len(mutator.mutations)} values", str(result))]
    if result.violation or result.load.code:
        return [
            outcome(
                Verdict.VIOLATION,
                f"{len(mutator.mutations)} values",
                f"{result.violation or 'the loader failed'}: {result}",
            )
        ]
    found = [(mutation, *assessment.find_verdict(mutation)) for mutation in mutator.mutations.values()]
    counts = Counter(verdict_ for _, verdict_, _ in found if verdict_ not in verdict.FAILURES)
    outcomes = [outcome(verdict_, f"{count} values", count=count) for verdict_, count in counts.items()]
    outcomes += [
        outcome(verdict_, str(mutation), detail) for mutation, verdict_, detail in found if verdict_ in verdict.FAILURES
    ]
    outcomes += [outcome(Verdict.SILENTLY_WRONG, "side effects", detail) for detail in assessment.find_side_effects()]
    rerun, _ = env.rerun_without_faults(result)
    if not rerun.succeeded:
        outcomes.append(outcome(Verdict.NOT_RECOVERED, "the next run", str(rerun)))
    return outcomes


@dataclass
class MutationAssessment:
    """Assesses the database after a run with mutated values.

    Args:
        env: The trial's environment.
        mutations: The mutated values.
        log: Log of the tap and the loader.
        failed: Whether the run reported a failure.
    """

    env: TrialEnvironment
    mutations: list[Mutation]
    log: str
    failed: bool
    _tables: dict[str, dict[Key, Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bench = self.env.bench
        self.named = verdict.find_named_streams(bench.keys, self.log, bench.known_warnings)
        self.rejected: defaultdict[str, list[Row]] = defaultdict(list)
        for row in verdict.read_rows(self.env.database, "_rejected", exact=True):
            self.rejected[row["stream"]].append(row["record"] if isinstance(row["record"], dict) else {})

    def find_verdict(self, mutation: Mutation) -> tuple[Verdict, str]:
        """Returns the verdict on a mutated value, with details."""
        keys, row = self.env.bench.keys[mutation.stream], self._make_expected_row(mutation)
        record = self._read_table(mutation.stream).get(make_canonical_key(key_of(keys, row))) if row else None
        extra = (record.get("_extra") or {}) if record else {}
        first, *_, last = (*mutation.path[:1], *mutation.path)
        is_whole = first in extra and is_equivalent(mutation.make_mutated_record()[first], extra[first])
        if record is not None and (is_whole or not self._find_differing_fields(mutation, row, record)):
            return (Verdict.IN_EXTRA if extra.keys() & {first, last} else Verdict.EXACT), ""
        if any(not self._find_differing_fields(mutation, row, one) for one in self.rejected[mutation.stream]):
            if mutation.stream in self.named:
                return Verdict.REJECTED, ""
            return Verdict.SILENTLY_WRONG, "rejected without a warning"
        if mutation.stream in self.named and (self.failed or record is None):
            return Verdict.REPORTED_FAILURE, ""
        if record is None:
            return Verdict.SILENTLY_WRONG, f"no record with the key {key_of(keys, row)}"
        differences = self._find_differing_fields(mutation, row, record)
        changed = {name: (str(row.get(name))[:80], str(record.get(name))[:80]) for name in differences}
        return Verdict.SILENTLY_WRONG, f"sent and loaded: {changed}; _extra: {str(record.get('_extra'))[:200]}"

    def _make_expected_row(self, mutation: Mutation) -> Row:
        """Returns the row expected for the mutated record. Empty if it cannot be computed, such as for invalid JSON."""
        try:
            (row,) = self.env.bench.vendor.expected_rows(mutation.stream, [mutation.make_mutated_record()])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}
        return row

    def _find_differing_fields(self, mutation: Mutation, row: Row, record: Row) -> set[str]:
        return {
            name
            for name in self.env.bench.vendor.differs(mutation.stream, row, record)
            if not any(is_equivalent(row.get(name), place.get(name)) for place in (record, record.get("_extra") or {}))
        }

    def find_side_effects(self) -> list[str]:
        """Returns descriptions of unexpected differences in anything that was not mutated."""
        bench = self.env.bench
        found = []
        for stream, difference in bench.find_differences(self.env.database, bench.keys, Mode.FIRST).items():
            mutated = self._find_keys_of_mutated(stream)
            for keys in difference.list_keys_by_type():
                keys[:] = [key for key in keys if make_canonical_key(key) not in mutated]
            if difference.missing or difference.changed:
                derived = self._find_keys_derived_from_mutated(stream)
                for keys in (difference.missing, difference.changed):
                    keys[:] = [key for key in keys if key not in derived]
            if difference and stream not in self.named:
                found.append(f"{stream}: {difference}")
        return found + self._find_widened_columns()

    def _find_keys_of_mutated(self, stream: str) -> set[Key]:
        """Returns the keys that a stream's mutated records had or may have now."""
        names = self.env.bench.keys[stream]
        mutations = [mutation for mutation in self.mutations if mutation.stream == stream]
        changed = {make_canonical_key(key_of(names, self._make_expected_row(mutation))) for mutation in mutations}
        return changed | {make_canonical_key(mutation.key) for mutation in mutations}

    def _find_keys_derived_from_mutated(self, stream: str, seen: frozenset[str] = frozenset()) -> set[Key]:
        """Returns the keys of a stream's rows that refer to a mutated record of its parent.

        These include the rows that refer to a mutated record of another stream of the same endpoint. The values of a
        parent decide whether its children are requested, and how.
        """
        bench = self.env.bench
        endpoint = bench.endpoints.get(stream)
        sources = {other for other in bench.endpoints if bench.endpoints[other] == endpoint} | {
            bench.parents.get(stream)
        }
        values = {value for one in self.mutations if one.stream in sources - {stream} for value in one.key}
        for source in bench.keys.keys() & sources - seen - {stream}:
            values |= {value for key in self._find_keys_derived_from_mutated(source, seen | {stream}) for value in key}
        rows = verdict.read_rows(bench.full_reference, stream) if values else []
        return {key_of(bench.keys[stream], row) for row in rows if values & {*key_of(row, row)}}

    def _find_widened_columns(self) -> list[str]:
        """Returns the columns whose type has been changed by a single value."""
        # Numbers with more digits than a double has are kept as text, because the loader loses none.
        exact_texts: defaultdict[str, set[str]] = defaultdict(set)
        for mutation in self.mutations:
            number = parse_finite_number(mutation.text)
            if number is not None and number != Decimal(float(number)):
                exact_texts[mutation.stream].add(mutation.path[0])
        expected = verdict.read_fingerprints(self.env.bench.full_reference)
        actual = verdict.read_fingerprints(self.env.database)
        return [
            f"{stream}: changed column types: {changed}"
            for stream in {mutation.stream for mutation in self.mutations}
            if stream in actual
            and stream in expected
            and (changed := sorted(set(actual[stream][0]) ^ set(expected[stream][0])))
            and not {name for name, _ in changed} <= exact_texts[stream]
        ]

    def _read_table(self, stream: str) -> dict[Key, Row]:
        if stream not in self._tables:
            rows = verdict.select_live_rows(verdict.read_rows(self.env.database, stream, exact=True))
            self._tables[stream] = {make_canonical_key(key_of(self.env.bench.keys[stream], row)): row for row in rows}
        return self._tables[stream]
