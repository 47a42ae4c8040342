"""Where a trial is made: its folder, its file, its settings; and what makes its rows right again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faults import processes, verdict
from faults.runs import Mode, Run, merged
from faults.vendors import CLIENT_ID, CLIENT_SECRET
from faults.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from faults.bench import Bench
    from faults.verdict import Differences

LOGIN = "tap-factorial login"
"""What a tap says where only a new login helps."""


class Place:
    """A trial's own place.

    Args:
        bench: The sandbox, and what is right.
        mode: How the trial begins.
        streams: Those that are read.
        oauth: Whether the tap logs in with tokens that change, not with a key.
        config: Further settings of the tap.
    """

    def __init__(
        self, bench: Bench, mode: Mode, streams: Collection[str], *, oauth: bool = False, **config: Any
    ) -> None:
        self.bench = bench
        self.mode = mode
        # A login has a list of its own credentials, and the reference was made with a key.
        self.streams = [name for name in streams if not (oauth and name in bench.vendor.by_credential)]
        self.config = config
        self.folder = bench.new_folder()
        self.database, self.state = bench.start(mode, self.folder)
        if oauth:
            self.log_in()

    def log_in(self) -> None:
        """Take the tokens of a new login."""
        tokens = self.bench.sandbox.control("factorial/login")
        self.config |= {
            "api_key": None,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": tokens["refresh_token"],
            "token_file": str(self.folder / "tokens.json"),
        }

    def run(self, limit: float = processes.LIMIT) -> Run:
        """Run the tap and the loader."""
        self.bench.reset()
        self.bench.proxy.clear()
        return self.bench.run(
            self.folder, self.database, streams=self.streams, state=self.state, limit=limit, **self.config
        )

    def judge(self, run: Run) -> tuple[Verdict, str]:
        """Whether a run that met a fault was exact, or said that it was not."""
        if run.hung:
            return Verdict.HANG, str(run)
        if broken := run.broken:
            return Verdict.BROKEN, f"{broken}: {run}"
        wrong = self.bench.wrong(self.database, self.streams, self.mode)
        if run.succeeded and not wrong:
            return Verdict.EXACT, ""
        silent = wrong.keys() - verdict.named(wrong.keys(), run.log, self.bench.usual) if run.succeeded else ()
        if silent:
            return Verdict.SILENT, verdict.told({stream: wrong[stream] for stream in sorted(silent)})
        return Verdict.ALOUD, str(run)

    def repair(self, ran: Run | None = None, state: Mapping[str, Any] | None = None) -> tuple[Run, Differences]:
        """Run again without a fault.

        Args:
            ran: The run before. What it left out with a warning may show what is gone later on.
            state: What the run begins with; that in the file, if none is given.

        Returns:
            The run, and what is still wrong.
        """
        bench, streams = self.bench, self.streams
        named = verdict.named(streams, ran.log, bench.usual) if ran and ran.succeeded else set()
        committed = state or verdict.state_of(self.database)
        mode = Mode.INCREMENTAL if committed == bench.state else self.mode
        if self.mode is Mode.REFRESH and committed:
            committed = merged(bench.state, committed)  # as Meltano keeps what a run that failed has written
        bench.reset()
        again = bench.run(self.folder, self.database, streams=streams, state=committed, **self.config)
        wrong = bench.wrong(self.database, streams, mode)
        later = bench.wrong(self.database, [*wrong.keys() & named], Mode.INCREMENTAL)
        return again, {name: later.get(name, one) for name, one in wrong.items() if name not in named or name in later}
