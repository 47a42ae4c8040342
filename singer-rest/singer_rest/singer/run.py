"""The run of a tap: reads its streams together. A failure ends only its own stream."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any

from singer_rest.errors import RunError, TapError, describe_error
from singer_rest.singer.monitor import RunMonitor
from singer_rest.singer.progress import Progress
from singer_rest.singer.sync import StreamTap, SyncedStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_rest.fetch.fetcher import Fetcher
    from singer_rest.telemetry.numbers import StreamOutcome


class SyncingTap(StreamTap):
    """A tap whose streams are synced together."""

    _progress: Progress
    _monitor: RunMonitor
    _unfinished: dict[str, SyncedStream]
    _fetcher: Fetcher | None = None

    @abstractmethod
    def claim_state(self, streams: Sequence[SyncedStream]) -> bool:
        """Checks that the state is of the account that is read, and names the account in the state of the streams.

        Returns:
            Whether the state has changed.

        Raises:
            RunError: If it is of another account.
        """

    @abstractmethod
    def left_to_read(self, streams: Sequence[SyncedStream]) -> list[SyncedStream]:
        """Returns the streams that earlier runs have not read, if this run continues them."""

    @abstractmethod
    def check_agreement(self) -> None:
        """Checks that the run loads no more than was agreed, if there is an agreement.

        Raises:
            RunError: If it would load more.
        """

    @abstractmethod
    def fetcher_for(self, streams: Sequence[SyncedStream], *, connection_test: bool) -> Fetcher:
        """Creates the fetcher for some streams."""

    @property
    def is_partial(self) -> bool:
        """Whether the run reads only given records or streams."""
        return False

    def report_outcome(self, streams: Sequence[SyncedStream]) -> None:
        """Reports what became of the given records, if a setting says where.

        Args:
            streams: The streams that were read.

        Raises:
            RunError: If it cannot be written.
        """

    def read_selected(self) -> None:
        """Reads every selected stream. A failure ends only its own stream.

        Raises:
            TapError: At the end, if a stream failed or nothing could be read.
        """
        selected = self.selected_streams()
        self.check_agreement()
        if not selected:
            self.logger.info("None of the given streams is selected: there is nothing to read.")
            return
        rereads = any(stream.rereads for stream in selected)
        is_claimed = self.claim_state(selected) and not rereads
        selected = self.left_to_read(selected)
        failed: list[str] = []
        is_complete = False
        self._unfinished = {stream.name: stream for stream in selected}
        activity = self.transport.rate_limiter.activity
        self._progress = Progress(len(selected), activity)
        # Single records or streams are not the run whose age is watched.
        metrics_file = None if self.is_partial else self.config.get("metrics_file")
        self._monitor = RunMonitor(self.name, self.plugin_version, selected, activity, metrics_file=metrics_file)
        self._fetcher = fetcher = self.fetcher_for(selected, connection_test=False)
        try:
            kept = [stream.replication for stream in selected if not stream.rereads]
            for replication in kept:
                replication.mark_full_read_due()
            # Tells the loader where the run begins.
            if is_claimed or any(replication.has_bookmark for replication in kept):
                self.state_writer.write_state(self.state)
            id_reads = fetcher.start()
            reads = [(name, self._steps(self._unfinished[name], fetcher, failed)) for name in fetcher.order]
            fetcher.read_all([*id_reads, *reads])
            is_complete = not failed and len(self.skipped) < len(selected)
        finally:
            fetcher.close()
            self._fetcher = None
            self._monitor.end(succeeded=is_complete)
        failed.sort(key=fetcher.order.index)
        rows = sum(stream.rows_written for stream in selected)
        self.logger.info("%s", self._progress.outcome(rows, self.skipped, failed))
        if failed:
            raise TapError(
                f"{len(failed)} of {len(selected)} streams failed: {', '.join(failed)}. Their bookmarks are unchanged: "
                f"{'repeat this run to read' if rereads else 'the next run reads'} what is missing."
            )
        self.fail_where_all_is_skipped(len(selected))
        self.report_outcome([stream for stream in selected if stream.name not in self.skipped])

    def selected_streams(self) -> list[Any]:
        """Returns the streams that a run reads.

        Raises:
            RunError: If there are none.
        """
        selected = [stream for stream in self.streams.values() if isinstance(stream, SyncedStream) and stream.selected]
        self._warn_of_unavailable()
        if not selected:
            raise RunError(
                "No stream is selected. Select some in the catalog (with Meltano: `select:` of the extractor)."
            )
        return selected

    def _steps(self, stream: SyncedStream, fetcher: Fetcher, failed: list[str]) -> Iterator[bool | None]:
        """Reads a stream. If it fails, the others go on."""
        self._monitor.start_stream(stream)
        outcome: StreamOutcome = "unfinished"
        try:
            with closing(stream.steps(fetcher)) as steps:
                for step in steps:
                    if step is not None and self._progress.is_due:
                        self._log_progress(fetcher)
                    yield step
            outcome = "skipped" if stream.name in self.skipped else "read"
        except RunError:
            outcome = "failed"
            raise
        except Exception as error:  # noqa: BLE001 - the other streams go on
            self.logger.error("%s", describe_error(error))  # noqa: TRY400 - no traceback: it may hold records
            failed.append(stream.name)
            outcome = "failed"
        finally:
            self._unfinished.pop(stream.name)
            self._monitor.end_stream(stream, outcome)

    def _log_progress(self, fetcher: Fetcher) -> None:
        streams = [stream for stream in self.streams.values() if isinstance(stream, SyncedStream)]
        reading = {
            name: fetcher.fraction_done(name) for name, stream in self._unfinished.items() if stream.has_requested
        }
        rows = sum(stream.rows_written for stream in streams)
        self.logger.info("%s", self._progress.line(len(self._unfinished), rows, reading))

    def _warn_of_unavailable(self) -> None:
        entries = self.input_catalog.items() if self.input_catalog else ()
        unavailable = [
            name for name, entry in entries if name not in self.streams and entry.metadata.resolve_selection()[()]
        ]
        if unavailable:
            self.logger.warning(
                "The catalog selects streams that are not available any more, or not with these settings: %s.",
                ", ".join(unavailable),
            )

    def fetcher_of(self, stream: SyncedStream) -> Fetcher:
        """Returns the fetcher for a stream: that of `sync_all`, or a separate one for a connection test."""
        if self._fetcher:
            return self._fetcher
        fetcher = self.fetcher_for([stream], connection_test=True)
        fetcher.read_all(fetcher.start())
        return fetcher

    def release(self, fetcher: Fetcher) -> None:
        """Closes the separate fetcher of a stream."""
        if fetcher is not self._fetcher:
            fetcher.close()

    def fail_where_all_is_skipped(self, streams: int) -> None:
        """Fails if the credential may read none of the streams."""
        if streams and len(self.skipped) == streams:
            raise TapError("Nothing could be read: the credential has no permission for any selected stream.")
