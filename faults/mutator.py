"""Any value in place of any field's: what becomes of it, and of all that stands beside it.

A mutated value arrives as it is, or in `_extra`, or its record is set aside with a sentence, or its stream fails aloud.
All other fields, records and streams are as if nothing had been. Of the thousands of a run, many are mutated at once.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from singer_rest.testing import meaning

from faults import values, verdict
from faults.bench import Bench
from faults.place import Place
from faults.runs import Mode
from faults.trials import Outcome
from faults.vendors import VENDORS, Key, Row, key_of
from faults.verdict import Verdict

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

    from faults.trials import Book, Options
    from faults.wire import Asked, Reply, Step

PART = "mutator"
REAL = {"_meta", "_last_touched_dt_utc"}
"""Names with an underscore that the vendor sends; others are the sandbox's, for what stands in the address."""

LIMIT = 180.0


@dataclass(frozen=True)
class Round:
    """A run with many mutated values.

    Args:
        name: In the report.
        choices: The values.
        per_stream: About how many records of a stream are mutated.
        keys: Whether it is keys that are, and nothing else.
    """

    name: str
    choices: tuple[str, ...]
    per_stream: int
    keys: bool = False


FIELDS = Round("a field", values.FITTING, 6)
KEYS = Round("a key", values.FITTING, 1, keys=True)
ODD = Round("a field, oddly", values.ODD, 2)
BROKEN = Round("no JSON", values.BROKEN, 1)
ROUNDS: dict[str, tuple[Round, ...]] = {
    "personio": (*[FIELDS] * 5, KEYS, KEYS, ODD, BROKEN),
    "factorial": (FIELDS, FIELDS, KEYS, ODD, BROKEN),
    "cornerstone": (FIELDS, FIELDS, FIELDS, KEYS, ODD, BROKEN),
}


@dataclass(frozen=True)
class Spot:
    """A mutated value.

    Args:
        stream: Whose record.
        key: The record's, before.
        path: The names that lead to the value.
        text: The value, as JSON.
        body: What the sandbox has of the record.
    """

    stream: str
    key: Key
    path: tuple[str, ...]
    text: str
    body: Row

    def __str__(self) -> str:
        return f"{self.stream}.{'.'.join(self.path)} = {self.text[:60]}"

    def mutated(self) -> Row:
        """The body with the value."""
        body = json.loads(json.dumps(self.body))
        inner = body
        for name in self.path[:-1]:
            inner = inner[name]
        inner[self.path[-1]] = json.loads(self.text)
        return dict(body)


class Mutator:
    """Puts values into what the vendor answers; what it puts where follows from the seed alone.

    Args:
        bench: The sandbox.
        round_: What is mutated.
        chance: What chooses for a record, by its stream and key.
    """

    def __init__(self, bench: Bench, round_: Round, chance: Callable[..., random.Random]) -> None:
        self.round = round_
        self.spots: dict[tuple[str, Key], Spot] = {}
        self._lock = threading.Lock()
        self._chosen: dict[str, Spot] = {}
        bodies = bench.bodies(bench.keys)
        known: defaultdict[str, list[Spot]] = defaultdict(list)
        for stream, rows in bodies.items():
            emitted = bench.vendor.emitted(stream, rows)
            for body, row in zip(rows, emitted, strict=True) if bench.keys[stream] else ():
                spot = Spot(stream, key_of(bench.keys[stream], row), (), "", body)
                known[_text(_sent(body))].append(spot)
        for text, spots in known.items():
            if len(spots) == 1:  # else nobody could say which one it is
                (spot,) = spots
                choose = chance(spot.stream, *spot.key)
                if choose.random() < round_.per_stream / len(bodies[spot.stream]):
                    self._choose(text, spot, bench.keys[spot.stream], choose)

    def _choose(self, text: str, spot: Spot, key: Sequence[str], choose: random.Random) -> None:
        of_key = {name for name in spot.body if name.removeprefix("_") in key} | ({"id"} & spot.body.keys())
        paths = [path for path in _paths(_sent(spot.body)) if (path[0] in of_key) == self.round.keys]
        if paths:
            self._chosen[text] = replace(spot, path=choose.choice(paths), text=choose.choice(self.round.choices))

    def __call__(self, _asked: Asked, ask: Callable[[], Reply]) -> Iterable[Step] | None:
        """What goes back: the vendor's answer with its values replaced."""
        reply = ask()
        try:
            document = json.loads(reply.body)
        except ValueError:
            return None
        texts: list[str] = []
        self._replace(document, texts)
        if not texts:
            return None
        body = json.dumps(document)
        for number, text in enumerate(texts):
            body = body.replace(f'"{_mark(number)}"', text, 1)
        return [replace(reply, body=body.encode("utf-8", "surrogatepass")).whole()]

    def _replace(self, document: Any, texts: list[str]) -> None:  # noqa: ANN401 - any JSON
        if isinstance(document, list):
            for inner in document:
                self._replace(inner, texts)
        elif isinstance(document, dict):
            spot = self._chosen.get(_text(document))
            if spot is None:
                for inner in document.values():
                    self._replace(inner, texts)
                return
            with self._lock:
                self.spots[spot.stream, spot.key] = spot
            for name in spot.path[:-1]:
                document = document[name]
            document[spot.path[-1]] = _mark(len(texts))
            texts.append(spot.text)


def _mark(number: int) -> str:
    return f"@@mutated {number}@@"


def _text(document: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(document, sort_keys=True)


def _sent(body: Row) -> Row:
    return {name: value for name, value in body.items() if not name.startswith("_") or name in REAL}


def _paths(value: Any, above: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:  # noqa: ANN401 - any JSON
    for name, inner in value.items():
        yield (*above, name)
        if isinstance(inner, dict):
            yield from _paths(inner, (*above, name))


def run(options: Options, book: Book) -> None:
    """Make the rounds."""
    for name in options.vendors:
        with Bench(VENDORS[name], options.folder / name, options.seed) as bench:
            bench.prepare()
            rounds = ROUNDS[name]
            for number in options.numbers(len(rounds), PART, name):
                for outcome in tried(bench, number, rounds[number], options):
                    book.add(outcome)


def tried(bench: Bench, number: int, round_: Round, options: Options) -> list[Outcome]:
    """Run once with mutated values and judge each; then the next run must go through."""
    started = time.monotonic()
    mutator = Mutator(bench, round_, lambda *names: options.chance(PART, bench.vendor.name, number, *names))
    place = Place(bench, Mode.FIRST, list(bench.keys))
    bench.proxy.meddle = mutator
    try:
        ran = place.run(LIMIT)
    finally:
        bench.proxy.meddle = None
    judge = Judge(place, list(mutator.spots.values()), ran.log, failed=not ran.succeeded)

    def outcome(found: Verdict, what: str, detail: str = "", count: int = 1) -> Outcome:
        seconds = time.monotonic() - started
        return Outcome(PART, bench.vendor.name, number, round_.name, found, what, detail, count, seconds)

    if ran.hung:
        return [outcome(Verdict.HANG, f"{len(mutator.spots)} values", str(ran))]
    if ran.broken or ran.load.code:
        return [outcome(Verdict.BROKEN, f"{len(mutator.spots)} values", f"{ran.broken or 'nothing was loaded'}: {ran}")]
    found = [(spot, *judge.spot(spot)) for spot in mutator.spots.values()]
    counts = Counter(held for _, held, _ in found if held not in verdict.FAILURES)
    outcomes = [outcome(held, f"{count} values", count=count) for held, count in counts.items()]
    outcomes += [outcome(held, str(spot), detail) for spot, held, detail in found if held in verdict.FAILURES]
    outcomes += [outcome(Verdict.SILENT, "what stands beside them", detail) for detail in judge.beside()]
    again, _ = place.repair(ran)
    if not again.succeeded:
        outcomes.append(outcome(Verdict.UNREPAIRED, "the next run", str(again)))
    return outcomes


@dataclass
class Judge:
    """Looks at what a run with mutated values left.

    Args:
        place: Where it was made.
        spots: The values.
        log: What tap and loader wrote.
        failed: Whether the run said that something failed.
    """

    place: Place
    spots: list[Spot]
    log: str
    failed: bool
    _tables: dict[str, dict[Key, Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bench = self.place.bench
        self.loud = verdict.named(bench.keys, self.log, bench.usual)
        self.aside: defaultdict[str, list[Row]] = defaultdict(list)
        for row in verdict.rows_of(self.place.database, "_rejected"):
            self.aside[row["stream"]].append(row["record"] if isinstance(row["record"], dict) else {})

    def spot(self, spot: Spot) -> tuple[Verdict, str]:
        """What became of a value."""
        vendor, keys = self.place.bench.vendor, self.place.bench.keys[spot.stream]
        try:
            (row,) = vendor.emitted(spot.stream, [spot.mutated()])
        except (ValueError, TypeError, KeyError, AttributeError):
            row = {}  # so odd that its row cannot be foreseen
        record = self._table(spot.stream).get(key_of(keys, row)) if row else None
        if record is not None and not self._differs(spot, row, record):
            extra = record.get("_extra") or {}
            return (Verdict.IN_EXTRA if spot.path[-1] in extra or spot.path[0] in extra else Verdict.EXACT), ""
        if any(not self._differs(spot, row, one) for one in self.aside[spot.stream]):
            return (Verdict.REJECTED if spot.stream in self.loud else Verdict.SILENT), "set aside without a word"
        if spot.stream in self.loud and (self.failed or record is None):
            return Verdict.ALOUD, ""
        if record is None:
            return Verdict.SILENT, f"no record with the key {key_of(keys, row)}"
        wrong = self._differs(spot, row, record)
        told = {name: (str(row.get(name))[:80], str(record.get(name))[:80]) for name in wrong}
        return Verdict.SILENT, f"sent and got: {told}; _extra: {str(record.get('_extra'))[:200]}"

    def _differs(self, spot: Spot, row: Row, record: Row) -> set[str]:
        return {
            name
            for name in self.place.bench.vendor.differs(spot.stream, row, record)
            if not _as_good(row.get(name), record.get(name))
        }

    def beside(self) -> list[str]:
        """What else is not as it should be, in words."""
        bench = self.place.bench
        mine = {(spot.stream, spot.key) for spot in self.spots}
        new = {(stream, key) for stream in bench.keys for key in self._new_keys(stream)}
        found = []
        for stream, difference in bench.wrong(self.place.database, bench.keys, Mode.FIRST).items():
            for keys in difference.parts():
                keys[:] = [key for key in keys if (stream, key) not in mine | new]
            if difference and stream not in self.loud:
                found.append(f"{stream}: {difference}")
        return found + self._widened()

    def _new_keys(self, stream: str) -> set[Key]:
        """Keys that mutated records may have now."""
        vendor, names = self.place.bench.vendor, self.place.bench.keys[stream]
        found = set()
        for spot in self.spots:
            if spot.stream == stream:
                row = next(iter(vendor.emitted(stream, [spot.mutated()])), {})
                found.add(key_of(names, row))
        return found

    def _widened(self) -> list[str]:
        """Columns that are of another type for good because of a single value."""
        wanted, got = verdict.prints(self.place.bench.right), verdict.prints(self.place.database)
        return [
            f"{stream}: columns have other types: {changed}"
            for stream in {spot.stream for spot in self.spots}
            if stream in got and stream in wanted and (changed := sorted(set(got[stream][0]) ^ set(wanted[stream][0])))
        ]

    def _table(self, stream: str) -> dict[Key, Row]:
        if stream not in self._tables:
            rows = verdict.live(verdict.rows_of(self.place.database, stream))
            self._tables[stream] = {key_of(self.place.bench.keys[stream], row): row for row in rows}
        return self._tables[stream]


def _as_good(sent: Any, found: Any) -> bool:  # noqa: ANN401
    """Whether a value says as much in another form: no date as nothing, flags as 0 and 1, JSON as text."""
    if sent == "" and found is None:
        return True
    if isinstance(found, bool):
        return str(sent).lower() in ({"1", "true"} if found else {"0", "false"})
    if meaning(sent) == meaning(found):
        return True
    try:
        return isinstance(found, str) and bool(json.loads(found) == sent)
    except ValueError:
        return False
