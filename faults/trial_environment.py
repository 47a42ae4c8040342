"""The environment of a trial: its folder, database, state and settings, and how to rerun it without faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faults import processes, verdict
from faults.pipeline_run import Mode, PipelineRun, merge_states
from faults.vendors import CLIENT_ID, CLIENT_SECRET
from faults.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from faults.testbench import TestBench
    from faults.verdict import Differences

LOGIN_HINT = "tap-factorial login"
"""Part of the tap's error message when a new login is needed."""


class TrialEnvironment:
    """The environment of a trial.

    Args:
        bench: The sandbox with its reference databases.
        mode: Mode of the run.
        streams: Streams to read.
        oauth: Whether the tap uses rotating OAuth tokens instead of an API key.
        config: Additional tap settings.
    """

    def __init__(
        self, bench: TestBench, mode: Mode, streams: Collection[str], *, oauth: bool = False, **config: Any
    ) -> None:
        self.bench = bench
        self.mode = mode
        # Some rows depend on the credential, and the references were built with an API key.
        self.streams = [name for name in streams if not (oauth and name in bench.vendor.by_credential)]
        self.config = config
        self.folder = bench.new_folder()
        self.database, self.state = bench.make_initial_state(mode, self.folder)
        if oauth:
            self.log_in_again()

    def log_in_again(self) -> None:
        """Logs in and uses the new tokens."""
        tokens = self.bench.sandbox.control("factorial/login")
        self.config |= {
            "api_key": None,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": tokens["refresh_token"],
            "token_file": str(self.folder / "tokens.json"),
        }

    def run(self, limit: float = processes.LIMIT) -> PipelineRun:
        """Runs the tap and the loader."""
        self.bench.reset_quotas()
        self.bench.proxy.reset_counts()
        return self.bench.run(
            self.folder, self.database, streams=self.streams, state=self.state, limit=limit, **self.config
        )

    def assess_run(self, run: PipelineRun) -> tuple[Verdict, str]:
        """Returns whether a run with a fault was exact or reported that it was not, with details."""
        if run.hung:
            return Verdict.HANG, str(run)
        if violation := run.violation:
            return Verdict.VIOLATION, f"{violation}: {run}"
        differences = self.bench.find_differences(self.database, self.streams, self.mode)
        if run.succeeded and not differences:
            return Verdict.EXACT, ""
        unreported = (
            differences.keys() - verdict.find_named_streams(differences.keys(), run.log, self.bench.known_warnings)
            if run.succeeded
            else ()
        )
        if unreported:
            return Verdict.SILENTLY_WRONG, verdict.describe_differences(
                {stream: differences[stream] for stream in sorted(unreported)}
            )
        return Verdict.REPORTED_FAILURE, str(run)

    def rerun_without_faults(
        self, result: PipelineRun | None = None, state: Mapping[str, Any] | None = None
    ) -> tuple[PipelineRun, Differences]:
        """Reruns the pipeline without faults.

        Args:
            result: The previous run. Streams that it warned about may show deletions later.
            state: Initial state; by default the one in the database.

        Returns:
            The run and the remaining differences.
        """
        bench, streams = self.bench, self.streams
        named = (
            verdict.find_named_streams(streams, result.log, bench.known_warnings)
            if result and result.succeeded
            else set()
        )
        committed = state or verdict.read_state(self.database)
        mode = Mode.INCREMENTAL if committed == bench.state else self.mode
        if self.mode is Mode.REFRESH and committed:
            committed = merge_states(bench.state, committed)  # as Meltano merges the state of a failed run
        bench.reset_quotas()
        rerun = bench.run(self.folder, self.database, streams=streams, state=committed, **self.config)
        differences = bench.find_differences(self.database, streams, mode)
        incremental = bench.find_differences(self.database, [*differences.keys() & named], Mode.INCREMENTAL)
        return rerun, {
            name: incremental.get(name, one)
            for name, one in differences.items()
            if name not in named or name in incremental
        }
