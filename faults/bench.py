"""A vendor's sandbox at two moments, what a faultless run makes of each, and pipelines against it.

A company is loaded (A), then it changes (B). A trial begins with an empty file, with A's file and a full refresh, or
with A's file and state. What it should come to is known from runs without any fault, compared with the sandbox
itself, every row and value.
"""

from __future__ import annotations

import importlib
import json
import random
import re
import shutil
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hr_sandbox.testing import Sandbox, running
from typing_extensions import Self

from faults import processes, verdict
from faults.changes import change
from faults.processes import write_json
from faults.runs import Mode, Run
from faults.verdict import SCHEMA, Differences
from faults.wire import Proxy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from faults.vendors import Row, Vendor

EMPLOYEES = 20
UNLIMITED = 600_000
"""Requests per minute: the sandbox's limits are another matter."""

CHANGES = 60
ONLY: set[str] = set()
"""Streams that there are at all; none: everything that the tap offers."""


class BenchError(Exception):
    """A run without any fault did not bring every row and value; the message says which."""


class Bench:
    """A sandbox with a proxy before it, and files to begin trials with; a context manager.

    Args:
        vendor: Whose sandbox.
        folder: Where files go.
        seed: Of the changes between A and B.
        config: Settings of every run of the tap.
        options: Those of the sandbox, such as `token_ttl`.
    """

    def __init__(
        self, vendor: Vendor, folder: Path, seed: int, config: Mapping[str, Any] | None = None, /, **options: Any
    ) -> None:
        self.vendor = vendor
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.seed = seed
        self._settings = {"request_timeout": 5, "max_wait": 3, **(config or {})}
        self._options = {"employees": EMPLOYEES, "requests_per_minute": UNLIMITED, **options}
        self._stack = ExitStack()
        self._runs = 0
        self.day = date.min

    def __enter__(self) -> Self:
        self.sandbox = self._stack.enter_context(running(**self._options))
        self.proxy = self._stack.enter_context(Proxy(self.sandbox.url))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def catalog(self) -> dict[str, Any]:
        """All that the tap offers, everything selected."""
        out = self.folder / "catalog.json"
        ended = processes.run(self.vendor.tap, ["--config", str(self._config()), "--discover"], self.folder, stdout=out)
        if ended.code:
            raise BenchError(f"{self.vendor.tap} --discover: exit code {ended.code}\n{ended.log}")
        catalog = json.loads(out.read_text())
        streams = [one for one in catalog["streams"] if not ONLY or one["tap_stream_id"] in ONLY]
        return {**catalog, "streams": streams}

    @cached_property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """Primary keys by stream."""
        return {
            stream["tap_stream_id"]: tuple(stream.get("key_properties") or ()) for stream in self.catalog["streams"]
        }

    @cached_property
    def endpoints(self) -> dict[str, str]:
        """By stream: what it asks, as the proxy counts it."""
        module, name = processes.COMMANDS[self.vendor.tap]
        tap = getattr(importlib.import_module(module), name)
        offered = tap(config=self.vendor.config(self.proxy.url), validate_config=False).streams
        return {
            stream: f"GET /{self.vendor.name}{re.sub('{[^}]*}', '{}', offered[stream].path)}"
            for stream in self.keys
            if stream in offered
        }

    def bodies(self, streams: Collection[str]) -> dict[str, list[Row]]:
        """What the sandbox has now, by stream."""
        seen = Sandbox(self.proxy.url)  # from where the tap stands: some values are addresses
        return {stream: seen.records(self.vendor.name, stream) for stream in streams}

    def new_folder(self) -> Path:
        """A folder of its own for a trial."""
        self._runs += 1
        folder = self.folder / f"trial-{self._runs}"
        folder.mkdir()
        return folder

    def run(
        self,
        folder: Path,
        database: Path,
        *,
        streams: Collection[str] = (),
        state: Mapping[str, Any] | None = None,
        limit: float = processes.LIMIT,
        variables: Mapping[str, str] | None = None,
        **config: Any,
    ) -> Run:
        """Run the tap, then the loader with what it wrote.

        Args:
            folder: Where files go.
            database: The DuckDB file.
            streams: Those that are selected; all, if none is named.
            state: What the tap begins with.
            limit: Seconds that each may take.
            variables: Further ones of the environment.
            config: Further settings of the tap.
        """
        out = folder / "tap.out"
        tap = processes.run(
            self.vendor.tap,
            self.arguments(folder, streams, state, **config),
            folder,
            stdout=out,
            limit=limit,
            variables=variables,
        )
        load = processes.run(
            "target-duckdb",
            ["--config", str(self.loader_config(folder, database))],
            folder,
            stdin=out,
            stdout=folder / "states.out",
            limit=limit,
            variables=variables,
        )
        return Run(tap, load, out)

    def arguments(
        self, folder: Path, streams: Collection[str], state: Mapping[str, Any] | None, **config: Any
    ) -> list[str]:
        """The tap's command line; writes the files that it names."""
        path = self._config(folder, **config)
        arguments = [
            "--config",
            str(path),
            "--catalog",
            str(write_json(folder / "catalog.json", self._chosen(streams))),
        ]
        if state is not None:
            arguments += ["--state", str(write_json(folder / "state.json", state))]
        return arguments

    def loader_config(self, folder: Path, database: Path, **more: Any) -> Path:
        """The loader's settings."""
        settings = {"path": str(database), "default_target_schema": SCHEMA, **more}
        return write_json(folder / "target.json", settings)

    def _config(self, folder: Path | None = None, **more: Any) -> Path:
        settings = self.vendor.config(self.proxy.url, **{**self._settings, **more})
        return write_json((folder or self.folder) / "config.json", settings)

    def _chosen(self, streams: Collection[str]) -> dict[str, Any]:
        chosen = [one for one in self.catalog["streams"] if not streams or one["tap_stream_id"] in streams]
        return {**self.catalog, "streams": chosen}

    # A and B

    def prepare(self) -> None:
        """Load A, change the company, learn what is right for B; anew where the day has changed.

        Raises:
            BenchError: A run without faults is not exact.
        """
        if self.day == datetime.now(UTC).date():
            return
        self.day = datetime.now(UTC).date()
        self.begin = self.folder / f"begin-{self.day}.duckdb"
        self._faultless(self.begin)
        self.state = verdict.state_of(self.begin) or {}
        chance = random.Random(f"{self.seed}/{self.day}")  # noqa: S311 - by the seed
        change(self.sandbox, self.vendor, self.keys, chance, CHANGES)
        self.right = self.folder / f"right-{self.day}.duckdb"
        self.proxy.clear()
        whole = self._faultless(self.right)
        self.sizes = dict.fromkeys((Mode.FIRST, Mode.REFRESH), whole.sizes)
        self.requests = {mode: self.proxy.asked() for mode in (Mode.FIRST, Mode.REFRESH)}
        self.opened = {mode: self.proxy.opened() for mode in (Mode.FIRST, Mode.REFRESH)}
        second = self.folder / f"second-{self.day}.duckdb"
        shutil.copyfile(self.begin, second)
        self.proxy.clear()
        run = self._clean(second, self.state)
        self.sizes[Mode.INCREMENTAL] = run.sizes
        self.requests[Mode.INCREMENTAL] = self.proxy.asked()
        self.opened[Mode.INCREMENTAL] = self.proxy.opened()
        self.usual = {verdict.shape(line) for line in verdict.loud_lines(whole.log + run.log)}
        # What no list tells of since the last run is as it was; all else is as it is now.
        self._refuse_wrong(self._unlike((self.right, self.begin), second, self.keys), "an incremental run", run)
        self.second = second
        self.third = self.folder / f"third-{self.day}.duckdb"
        shutil.copyfile(self.begin, self.third)
        run = self._clean(self.third, None)
        self._refuse_wrong(self._unlike((self.right, self.begin), self.third, self.keys), "a full refresh", run)

    def _faultless(self, database: Path) -> Run:
        run = self._clean(database, None)
        wrong = verdict.compared_with_sandbox(self.vendor, self.keys, self.bodies(self.keys), database)
        self._refuse_wrong(wrong, "a full run", run)
        return run

    def _clean(self, database: Path, state: Mapping[str, Any] | None) -> Run:
        self.reset()
        return self.run(self.new_folder(), database, state=state)

    def _refuse_wrong(self, wrong: Differences, what: str, run: Run) -> None:
        if wrong or not run.succeeded or run.broken:
            told = verdict.told(wrong) or str(run)
            raise BenchError(f"{self.vendor.tap}: {what} without faults is not exact: {told}")

    def reset(self) -> None:
        """Let the vendor forget what earlier trials used up."""
        if self.vendor.name == "cornerstone":
            self.sandbox.control("cornerstone/reset-downloads")

    def expected(self, mode: Mode, streams: Collection[str]) -> tuple[int, int]:
        """About how many requests a run makes, and how many bytes it writes."""
        asked = sum(self.requests[mode].get(self.endpoints.get(stream, ""), 0) for stream in streams)
        return max(asked, 3), sum(self.sizes[mode].get(stream, 0) for stream in streams)

    def start(self, mode: Mode, folder: Path) -> tuple[Path, dict[str, Any] | None]:
        """The file and the state that a trial begins with."""
        database = folder / "trial.duckdb"
        if mode is not Mode.FIRST:
            shutil.copyfile(self.begin, database)
        return database, self.state if mode is Mode.INCREMENTAL else None

    # What came of it

    def wrong(self, database: Path, streams: Collection[str], mode: Mode) -> Differences:
        """What is not as it should be after a run that began in some way."""
        references = {Mode.FIRST: (), Mode.REFRESH: (self.third,), Mode.INCREMENTAL: (self.second,)}[mode]
        return self._unlike((*references, self.right), database, {stream: self.keys[stream] for stream in streams})

    @staticmethod
    def _unlike(references: Sequence[Path], database: Path, keys: Mapping[str, Sequence[str]]) -> Differences:
        """What is as in none of some files."""
        wrong = verdict.compared(references[0], database, keys)
        for reference in references[1:]:
            other = verdict.compared(reference, database, {stream: keys[stream] for stream in wrong})
            wrong = {stream: wrong[stream] & other[stream] for stream in other if wrong[stream] & other[stream]}
        return wrong
