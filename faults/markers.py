"""Planted words: what is secret, or of a person, is in no log, no state, no message, and no file that others can read.

Words stand in credentials, in tokens, in what vendors call secrets, in names and pay, and in the bodies of refusals.
Then taps and the loader are run in all kinds of trouble, with all that they log, and everything they left is searched.
"""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import duckdb

from faults import verdict
from faults.bench import Bench
from faults.jsons import TOKEN, lists, objects
from faults.kinds import answer
from faults.meltano import Project
from faults.pipes import Pipeline
from faults.trials import Outcome
from faults.vendors import CLIENT_ID, CLIENT_SECRET, VENDORS
from faults.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from faults.trials import Book, Options
    from faults.wire import Asked, Reply, Step

PART = "markers"
PERSON = "zqxperson"
PAY = 98765432100000
SECRET = "zqxsecret"  # noqa: S105 - a word to look for
PLANTED = re.compile(rf"(?:{PERSON}|{SECRET})\d+|{PAY // 10**5}\d{{5}}")
LIMIT = 180.0
OTHERS = 0o077
KEPT = re.compile(
    r"id$|ids$|uuid|date|_at$|_on$|type|status|kind|link|href|cursor|next|url|page|key|limit|total|number"
)
"""Fields by which a list is walked: they keep their values."""

SECRETS = ("token", "secret", "password", "client_secret", "webhook_secret", "challenge")
REFUSALS = (400, 404, 409, 422, 500)


@dataclass
class Planter:
    """Plants words in what the vendor answers, and remembers each.

    Args:
        seed: Of every choice.
        trouble: Whether some requests are refused, with words in the refusal, and some values are of another type.
    """

    seed: str
    trouble: bool
    words: set[str] = field(default_factory=set)
    """Of persons: they may be in the rows alone."""
    secrets: set[str] = field(default_factory=set)
    """They may be nowhere."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked, ask: Callable[[], Reply]) -> Iterable[Step] | None:
        """What goes back."""
        chance = random.Random(f"{self.seed}/{asked.target}")  # noqa: S311 - by the seed
        reply = ask()
        try:
            document = json.loads(reply.body)
        except ValueError:
            return None
        if asked.method == "POST":
            self._remember_tokens(document)
            return None
        if self.trouble and chance.random() < 1 / 15:
            return self._refused(chance, asked, ask)
        for rows in lists(document):
            for row in rows:
                self._plant(row, chance)
        return [replace(reply, body=json.dumps(document).encode()).whole()]

    def _remember_tokens(self, document: Any) -> None:  # noqa: ANN401 - any JSON
        for one in objects(document):
            self.secrets |= {str(one[name]) for name in (*TOKEN, "refresh_token") if one.get(name)}

    def _word(self, chance: random.Random, *, secret: bool = False) -> str:
        word = f"{SECRET if secret else PERSON}{chance.randrange(10**12)}"
        with self._lock:
            (self.secrets if secret else self.words).add(word)
        return word

    def _refused(self, chance: random.Random, asked: Asked, ask: Callable[[], Reply]) -> Iterable[Step] | None:
        body = json.dumps({"errors": [{"title": self._word(chance), "detail": f"{self._word(chance)} {asked.target}"}]})
        text = chance.choice((body, f"<html>{body}</html>", body[:-3]))
        return answer(chance.choice(REFUSALS), text.encode())(asked, ask)

    def _plant(self, row: dict[str, Any], chance: random.Random) -> None:
        inner = row["attributes"] if isinstance(row.get("attributes"), dict) else row
        for name, value in list(inner.items()):
            if KEPT.search(name.lower()):
                continue
            if isinstance(value, str) or (self.trouble and value is not None and chance.random() < 1 / 200):
                inner[name] = self._word(chance)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                inner[name] = PAY + chance.randrange(10**5)
                self.words.add(str(inner[name]))
        for name in SECRETS:
            if name in inner or chance.random() < 1 / 20:
                inner[name] = self._word(chance, secret=True)
        if "custom_headers" in inner:
            inner["custom_headers"] = [{"name": "Authorization", "value": self._word(chance, secret=True)}]


class Search:
    """Looks for words where they must not be.

    Args:
        planter: Knows them.
    """

    def __init__(self, planter: Planter) -> None:
        self._tokens = {secret for secret in planter.secrets if not secret.startswith(SECRET)}
        self.found: list[str] = []
        self.places = 0

    def _look(self, text: str, where: str, *, secrets: bool = False) -> None:
        self.places += 1
        for found in PLANTED.finditer(text):
            if not secrets or found[0].startswith(SECRET):
                self.found.append(f"{where} holds {text[max(0, found.start() - 80) : found.end()]!r}")
        self.found += [f"{where} holds a token" for token in self._tokens if token in text]

    def log(self, text: str, where: str) -> None:
        """Look through what may hold none at all."""
        self._look(text, where)

    def rows(self, text: str, where: str) -> None:
        """Look through what may hold persons, and no secret."""
        self._look(text, where, secrets=True)

    def files(self, folder: Path) -> None:
        """Look through files that others can read, but for the trial's own."""
        for path in folder.rglob("*"):
            if not path.is_file() or path.is_symlink() or path.name in OWN:
                continue
            if path.stat().st_mode & OTHERS:
                self._look(path.read_bytes().decode("utf-8", "replace"), f"{path.name}, which others can read,")
            if path.suffix == ".duckdb" and path.stat().st_mode & OTHERS:
                self.found.append(f"others can read {path.name}")


@dataclass(frozen=True)
class Kind:
    """What trouble there is."""

    name: str
    trouble: bool = False
    wrong: bool = False
    loader: str = ""
    kill: signal.Signals | None = None
    oauth: bool = False
    meltano: bool = False


GARBAGE = "garbage"
KINDS = (
    Kind("all is well"),
    Kind("refusals, and values of other types", trouble=True),
    Kind("credentials that are wrong", wrong=True),
    Kind("a loader whose file is none", loader=GARBAGE),
    Kind("a loader that refuses rows", trouble=True, loader="strict"),
    Kind("stopped by SIGTERM", kill=signal.SIGTERM),
    Kind("stopped by SIGINT", trouble=True, kill=signal.SIGINT),
    Kind("tokens that change", trouble=True, oauth=True),
    Kind("under Meltano", meltano=True),
)
LOUD = dict.fromkeys(("TAP_PERSONIO_LOGLEVEL", "TAP_FACTORIAL_LOGLEVEL", "TAP_CORNERSTONE_LOGLEVEL"), "DEBUG")
LOUD |= {"TARGET_DUCKDB_LOGLEVEL": "DEBUG"}
OWN = {"tap.out", "tap.log", "loader.log", "tap.out.log", "states.out", "states.out.log", "meltano.log", "catalog.json"}


def run(options: Options, book: Book) -> None:
    """Make the trials."""
    for name in options.vendors:
        word = f"{SECRET}{options.chance(PART, name).randrange(10**12)}"
        secrets = {"api_key": word} if name == "factorial" else {"client_secret": word}
        with Bench(VENDORS[name], options.folder / name, options.seed, secrets, **secrets) as bench:
            for number in options.numbers(len(KINDS), PART, name):
                if not KINDS[number].oauth or name == "factorial":
                    book.add(tried(bench, number, KINDS[number], word, options.chance(PART, name, number)))


def tried(bench: Bench, number: int, kind: Kind, word: str, chance: random.Random) -> Outcome:
    """Run in trouble, then search what was left."""
    started = time.monotonic()
    planter = Planter(str(chance.random()), kind.trouble, secrets={word})
    folder = bench.new_folder()
    config = _credentials(bench, planter, kind, word, folder)
    bench.reset()
    bench.proxy.meddle = planter
    try:
        logs = Attempt(bench, kind, folder, config, planter, chance).logs()
    finally:
        bench.proxy.meddle = None
    search = Search(planter)
    for name, text in logs.items():
        search.log(text, name)
    out = folder / "tap.out"
    lines = out.read_bytes().decode("utf-8", "replace").splitlines() if out.exists() else []
    search.rows("\n".join(lines), "the tap's output")
    search.log("\n".join(line for line in lines if '"type":"STATE"' in line.replace(" ", "")[:30]), "a STATE line")
    database = folder / "trial.duckdb"
    if kind.loader != GARBAGE and database.exists():
        search.log(json.dumps(verdict.state_of(database)), "the committed state")
        search.rows(_dumped(database), "the DuckDB file")
    search.files(folder)
    found = Verdict.BROKEN if search.found else Verdict.EXACT
    what = f"{kind.name}: {len(planter.words)} words of persons, {len(planter.secrets)} secrets, {search.places} places"
    detail = "\n     ".join(search.found[:10])
    seconds = time.monotonic() - started
    return Outcome(PART, bench.vendor.name, number, kind.name, found, what, detail, seconds=seconds)


def _credentials(bench: Bench, planter: Planter, kind: Kind, word: str, folder: Path) -> dict[str, Any]:
    """Settings that let the tap in, or not."""
    if kind.oauth:
        tokens = bench.sandbox.control("factorial/login")
        planter.secrets |= {tokens["refresh_token"], tokens["access_token"]}
        return {
            "api_key": None,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": tokens["refresh_token"],
            "token_file": str(folder / "tokens.json"),
        }
    name = "api_key" if bench.vendor.name == "factorial" else "client_secret"
    return {name: f"{word}-is-wrong" if kind.wrong else word}


@dataclass
class Attempt:
    """A run in some trouble.

    Args:
        bench: The sandbox.
        kind: The trouble.
        folder: Where files go.
        config: Settings that let the tap in, or not.
        planter: Stands between tap and vendor.
        chance: Chooses.
    """

    bench: Bench
    kind: Kind
    folder: Path
    config: dict[str, Any]
    planter: Planter
    chance: random.Random

    def logs(self) -> dict[str, str]:
        """Run; what was logged, by who logged it."""
        database = self.folder / "trial.duckdb"
        if self.kind.loader == GARBAGE:
            database.touch(mode=0o600)
            database.write_bytes(b"no database" * 1000)
        elif self.kind.loader:
            _refuse_rows(database, *self.chance.choice(sorted(self.bench.keys.items())))
        if self.kind.meltano:
            return {"Meltano's log": self._under_meltano()}
        if self.kind.kill:
            return self._stopped(self.kind.kill)
        ran = self.bench.run(self.folder, database, limit=LIMIT, variables=LOUD, **self.config)
        return {"the tap's log": ran.tap.log, "the loader's log": ran.load.log}

    def _under_meltano(self) -> str:
        # Not at its level DEBUG, at which Meltano itself logs every record.
        project = Project(self.folder, self.bench.vendor, self.bench.proxy.url, verdict.SCHEMA)
        project.write()
        prefix = self.bench.vendor.tap.upper().replace("-", "_")
        settings = {f"{prefix}_{name.upper()}": value for name, value in self.config.items()}
        return project.run(limit=LIMIT, more={**LOUD, **settings}).log

    def _stopped(self, number: signal.Signals) -> dict[str, str]:
        """The logs of a tap and a loader that a signal stops."""
        left = self.chance.randrange(5, 60)
        pipelines: list[Pipeline] = []

        def stopping(asked: Asked, ask: Callable[[], Reply]) -> Iterable[Step] | None:
            nonlocal left
            left -= 1
            if left <= 0 and pipelines:
                pipelines[0].send("tap", number)
                pipelines[0].send("loader", number)
            return self.planter(asked, ask)

        self.bench.proxy.meddle = stopping
        tap = [self.bench.vendor.tap, *self.bench.arguments(self.folder, [], None, **self.config)]
        loader = self.bench.loader_config(self.folder, self.folder / "trial.duckdb")
        pipelines.append(Pipeline(self.folder, tap, ["target-duckdb", "--config", str(loader)], variables=LOUD))
        return {f"the {name}'s log": end.log for name, end in pipelines[0].wait(LIMIT).items()}


def _refuse_rows(database: Path, stream: str, key: tuple[str, ...]) -> None:
    """Make a table that takes no row."""
    column = key[0] if key else "id"
    with duckdb.connect(database) as connection:
        connection.execute(f'CREATE SCHEMA "{verdict.SCHEMA}"')
        connection.execute(
            f'CREATE TABLE "{verdict.SCHEMA}"."{stream}" ("{column}" VARCHAR CHECK (length("{column}") < 0))'
        )
    database.chmod(0o600)


def _dumped(database: Path) -> str:
    with duckdb.connect(database, read_only=True) as connection:
        tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        return "\n".join(str(connection.execute(f'FROM "{schema}"."{table}"').fetchall()) for schema, table in tables)
