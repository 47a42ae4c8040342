"""A vendor's sandbox with reference databases, and pipelines against it.

The company is loaded once (the baseline), then changed. A trial starts with an empty database, with the baseline and a
full refresh, or with the baseline and its state. The expected results come from runs without faults, whose rows and
values have been compared with the sandbox.
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
from faults.changes import change_records
from faults.pipeline_run import Mode, PipelineRun
from faults.processes import write_json
from faults.verdict import SCHEMA, Difference, Differences
from faults.wire import Proxy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from faults.vendors import Row, Vendor

EMPLOYEES = 20
UNLIMITED = 600_000
"""Requests per minute. Rate limits are not under test here."""

CHANGES = 60
STREAMS: set[str] = set()
"""Restricts the catalog to these streams. Empty: every stream of the tap."""


class TestBenchError(Exception):
    """A run without faults did not load every row and value; the message names the differences."""


class TestBench:
    """A sandbox behind a fault-injecting proxy, with reference databases. A context manager.

    Args:
        vendor: The vendor whose API is served.
        folder: Working folder.
        seed: Seed of the changes made to the company.
        config: Tap settings for every run.
        options: Sandbox options, such as `token_ttl`.
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
        """The tap's catalog, with every stream selected."""
        out = self.folder / "catalog.json"
        result = processes.run(
            self.vendor.tap, ["--config", str(self._write_tap_config()), "--discover"], self.folder, stdout=out
        )
        if result.code:
            raise TestBenchError(f"{self.vendor.tap} --discover: exit code {result.code}\n{result.log}")
        catalog = json.loads(out.read_text())
        streams = [one for one in catalog["streams"] if not STREAMS or one["tap_stream_id"] in STREAMS]
        return {**catalog, "streams": streams}

    @cached_property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """Primary keys by stream."""
        return {
            stream["tap_stream_id"]: tuple(stream.get("key_properties") or ()) for stream in self.catalog["streams"]
        }

    @cached_property
    def endpoints(self) -> dict[str, str]:
        """The endpoint of each stream, in the form in which the proxy counts requests."""
        return {
            name: f"GET /{self.vendor.name}{re.sub('{[^}]*}', '{}', stream.path)}"
            for name, stream in self.streams.items()
        }

    @cached_property
    def parents(self) -> dict[str, str]:
        """The parent of each stream that has one."""
        return {name: stream.slices.parent for name, stream in self.streams.items() if stream.slices.parent}

    @cached_property
    def streams(self) -> dict[str, Any]:
        """The streams of a tap that loads everything."""
        module, name = processes.COMMANDS[self.vendor.tap]
        tap = getattr(importlib.import_module(module), name)
        available = tap(config=self.vendor.make_config(self.proxy.url, **self._settings), validate_config=False).streams
        return {name: available[name] for name in self.keys if name in available}

    def fetch_bodies(self, streams: Collection[str]) -> dict[str, list[Row]]:
        """Returns the sandbox's current response bodies, by stream."""
        sandbox = Sandbox(self.proxy.url)  # through the proxy, because some values contain its URL
        return {stream: sandbox.records(self.vendor.name, stream) for stream in streams}

    def new_folder(self) -> Path:
        """Creates a folder for a trial."""
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
    ) -> PipelineRun:
        """Runs the tap, then the loader on the tap's output.

        Args:
            folder: Working folder.
            database: The DuckDB file.
            streams: Streams to select; all if empty.
            state: The tap's initial state.
            limit: Timeout in seconds for each process.
            variables: Additional environment variables.
            config: Additional tap settings.
        """
        out = folder / "tap.out"
        tap = processes.run(
            self.vendor.tap,
            self.make_tap_arguments(folder, streams, state, **config),
            folder,
            stdout=out,
            limit=limit,
            variables=variables,
        )
        load = processes.run(
            "target-duckdb",
            ["--config", str(self.write_loader_config(folder, database))],
            folder,
            stdin=out,
            stdout=folder / "states.out",
            limit=limit,
            variables=variables,
        )
        return PipelineRun(tap, load, out)

    def make_tap_arguments(
        self, folder: Path, streams: Collection[str], state: Mapping[str, Any] | None, **config: Any
    ) -> list[str]:
        """Returns the tap's command-line arguments. Writes the files they refer to."""
        path = self._write_tap_config(folder, **config)
        arguments = [
            "--config",
            str(path),
            "--catalog",
            str(write_json(folder / "catalog.json", self._select_catalog(streams))),
        ]
        if state is not None:
            arguments += ["--state", str(write_json(folder / "state.json", state))]
        return arguments

    def write_loader_config(self, folder: Path, database: Path, **more: Any) -> Path:
        """Writes the loader's settings. Returns the file."""
        settings = {"path": str(database), "default_target_schema": SCHEMA, **more}
        return write_json(folder / "target.json", settings)

    def _write_tap_config(self, folder: Path | None = None, **more: Any) -> Path:
        settings = self.vendor.make_config(self.proxy.url, **{**self._settings, **more})
        return write_json((folder or self.folder) / "config.json", settings)

    def _select_catalog(self, streams: Collection[str]) -> dict[str, Any]:
        selected = [one for one in self.catalog["streams"] if not streams or one["tap_stream_id"] in streams]
        return {**self.catalog, "streams": selected}

    # References

    def build_references(self) -> None:
        """Loads the baseline, changes the company and builds the reference databases. Repeats this on a new day.

        Raises:
            TestBenchError: A run without faults is not exact.
        """
        if self.day == datetime.now(UTC).date():
            return
        self.day = datetime.now(UTC).date()
        self.baseline = self.folder / f"baseline-{self.day}.duckdb"
        self._run_full(self.baseline)
        self.state = verdict.read_state(self.baseline) or {}
        rng = random.Random(f"{self.seed}/{self.day}")  # noqa: S311 - reproducible by design
        change_records(self.sandbox, self.vendor, self.keys, rng, CHANGES)
        self.full_reference = self.folder / f"full-reference-{self.day}.duckdb"
        self.proxy.reset_counts()
        full = self._run_full(self.full_reference)
        self.sizes = dict.fromkeys((Mode.FIRST, Mode.REFRESH), full.sizes)
        self.requests = {mode: self.proxy.request_counts() for mode in (Mode.FIRST, Mode.REFRESH)}
        self.first_pages = {mode: self.proxy.first_page_counts() for mode in (Mode.FIRST, Mode.REFRESH)}
        incremental = self.folder / f"incremental-reference-{self.day}.duckdb"
        shutil.copyfile(self.baseline, incremental)
        self.proxy.reset_counts()
        run = self._run_without_faults(incremental, self.state)
        self.sizes[Mode.INCREMENTAL] = run.sizes
        self.requests[Mode.INCREMENTAL] = self.proxy.request_counts()
        self.first_pages[Mode.INCREMENTAL] = self.proxy.first_page_counts()
        self.known_warnings = {verdict.remove_numbers(line) for line in verdict.find_warning_lines(full.log + run.log)}
        # Changes that no incremental endpoint reports still have the baseline's values.
        self._require_exact(
            self._find_differences_from_all((self.full_reference, self.baseline), incremental, self.keys),
            "an incremental run",
            run,
        )
        self.incremental_reference = incremental
        self.refresh_reference = self.folder / f"refresh-reference-{self.day}.duckdb"
        shutil.copyfile(self.baseline, self.refresh_reference)
        run = self._run_without_faults(self.refresh_reference, None)
        self._require_exact(
            self._find_differences_from_all((self.full_reference, self.baseline), self.refresh_reference, self.keys),
            "a full refresh",
            run,
        )

    def _run_full(self, database: Path) -> PipelineRun:
        run = self._run_without_faults(database, None)
        differences = verdict.compare_with_sandbox(self.vendor, self.keys, self.fetch_bodies(self.keys), database)
        self._require_exact(differences, "a full run", run)
        return run

    def _run_without_faults(self, database: Path, state: Mapping[str, Any] | None) -> PipelineRun:
        self.reset_quotas()
        return self.run(self.new_folder(), database, state=state)

    def _require_exact(self, differences: Differences, description: str, run: PipelineRun) -> None:
        if differences or not run.succeeded or run.violation:
            details = verdict.describe_differences(differences) or str(run)
            raise TestBenchError(f"{self.vendor.tap}: {description} without faults is not exact: {details}")

    def reset_quotas(self) -> None:
        """Resets quotas that earlier trials used up."""
        if self.vendor.name == "cornerstone":
            self.sandbox.control("cornerstone/reset-downloads")

    def estimate_run(self, mode: Mode, streams: Collection[str]) -> tuple[int, int]:
        """Estimates how many requests a run makes and how many bytes the tap writes."""
        count = sum(self.requests[mode].get(self.endpoints.get(stream, ""), 0) for stream in streams)
        return max(count, 3), sum(self.sizes[mode].get(stream, 0) for stream in streams)

    def make_initial_state(self, mode: Mode, folder: Path) -> tuple[Path, dict[str, Any] | None]:
        """Returns the initial database and state of a trial."""
        database = folder / "trial.duckdb"
        if mode is not Mode.FIRST:
            shutil.copyfile(self.baseline, database)
        return database, self.state if mode is Mode.INCREMENTAL else None

    # Results

    def find_differences(self, database: Path, streams: Collection[str], mode: Mode) -> Differences:
        """Returns the differences from the expected rows after a run in the given mode."""
        references = {
            Mode.FIRST: (),
            Mode.REFRESH: (self.refresh_reference,),
            Mode.INCREMENTAL: (self.incremental_reference,),
        }[mode]
        found = self._find_differences_from_all(
            (*references, self.full_reference), database, {stream: self.keys[stream] for stream in streams}
        )
        # Parts that are read once keep the baseline's values if no run has read them again.
        read_once = {stream: self.keys[stream] for stream in self.vendor.read_once & found.keys()}
        older = verdict.compare_with_reference(self.baseline, database, read_once)
        for stream in read_once:
            found[stream] = found[stream] & older.get(stream, Difference())
        return {stream: difference for stream, difference in found.items() if difference}

    @staticmethod
    def _find_differences_from_all(
        references: Sequence[Path], database: Path, keys: Mapping[str, Sequence[str]]
    ) -> Differences:
        """Returns the rows that match none of the reference databases."""
        differences = verdict.compare_with_reference(references[0], database, keys)
        for reference in references[1:]:
            other = verdict.compare_with_reference(
                reference, database, {stream: keys[stream] for stream in differences}
            )
            differences = {
                stream: differences[stream] & other[stream] for stream in other if differences[stream] & other[stream]
            }
        return differences
