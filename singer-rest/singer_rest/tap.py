"""Base class of taps: settings, the connection to the vendor, and the available streams."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_rest import parts
from singer_rest.declarations import check_parents, check_tap, unknown_parent
from singer_rest.errors import RunError
from singer_rest.fetch.fetcher import Fetcher
from singer_rest.fetch.scheduler import Scheduler
from singer_rest.http.rate_limits import RateLimit, RateLimiter
from singer_rest.http.retries import FIRST_DELAY
from singer_rest.http.transport import Transport
from singer_rest.only import RequestedRecords, write_report
from singer_rest.privacy.tap_privacy import TapPrivacy
from singer_rest.reporting import PRIVACY_KEY, ReportingTap
from singer_rest.secret_settings import FILE, add_secret_files
from singer_rest.settings import check_addresses, check_common, check_headers, describe_missing_setting
from singer_rest.stream import RestStream

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from singer_rest.aliases import Record
    from singer_rest.http.auth import Authenticator
    from singer_rest.http.transport import Observer
    from singer_rest.record.names import KnownNames
    from singer_rest.singer.sync import SyncedStream
    from singer_rest.slices.part import Part
    from singer_rest.state.account import Account


class RestTap(ReportingTap):
    """A tap over a REST API. A vendor's tap declares its streams, settings, credentials and limits."""

    rates: ClassVar[Mapping[str, RateLimit]] = {}
    """The vendor's documented limits by endpoint. ``""`` applies to each endpoint that is not listed."""
    header_settings: ClassVar[Sequence[str]] = ()
    """Settings that are sent as headers."""
    account: ClassVar[Account | None] = None
    """The terms for the vendor's accounts, if `account_id` returns one. The state of another account is rejected."""
    envelope_names: ClassVar[Collection[str]] = ()
    """Names around the records of responses, which no schema has. Recordings show them."""
    first_delay: ClassVar[float] = FIRST_DELAY
    """Seconds before the first retry of a failed request."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuses a declaration that cannot work.

        Raises:
            TypeError: If an attribute is missing, or a stream's parent is no stream of the tap.
        """
        super().__init_subclass__(**kwargs)
        check_tap(cls, RestTap)
        cls.config_jsonschema = add_secret_files(cls.config_jsonschema)

    @property
    @abstractmethod
    def stream_types(self) -> Sequence[type[RestStream]]:
        """All streams of the tap. A class attribute, or a property if they depend on a setting."""

    @property
    @abstractmethod
    def authenticator(self) -> Authenticator:
        """The authenticator shared by all streams."""

    @cached_property
    def discovery_problems(self) -> list[str]:
        """Sentences about streams that discovery left out because the credential cannot read which there are."""
        return []

    @cached_property
    def started(self) -> datetime:
        """The time at which the run began, UTC."""
        return datetime.fromtimestamp(self.initialized_at / 1000, timezone.utc)

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        """The rate limiter shared by all streams."""
        per_minute = self.config.get("requests_per_minute")
        overall = RateLimit(per_minute, 60, burst=1) if per_minute else None
        return RateLimiter(self.rates, overall, max_wait=self.config["max_wait"])

    @cached_property
    def transport(self) -> Transport:
        """The HTTP client shared by all streams."""
        headers = {
            "Accept": "application/json",
            "User-Agent": self.user_agent,
            **self.headers,
        }
        timeout, max_wait = self.config["request_timeout"], self.config["max_wait"]
        return Transport(
            self.api_url, headers, timeout, self.rate_limiter, max_wait=max_wait, observer=self.response_observer
        )

    @property
    def api_url(self) -> str:
        """The vendor's base URL, without a trailing slash."""
        return str(self.config["api_url"]).rstrip("/")

    @property
    def addresses(self) -> Sequence[str]:
        """The addresses to which requests are sent. Empty: the settings do not say."""
        return [self.api_url]

    @property
    def user_agent(self) -> str:
        """The User-Agent header."""
        return self.config.get("user_agent") or f"{self.name}/{self.plugin_version}"

    @property
    def permission_advice(self) -> str:
        """The place in the vendor's user interface where permissions are granted. A class attribute, or a property."""
        return ""

    @property
    def headers(self) -> dict[str, str]:
        """Headers that the vendor requires, sent with each request."""
        return {}

    @property
    def response_observer(self) -> Observer | None:
        """A callback that records every response, for an HTTP client of the tap. None: responses are not recorded."""
        if self.recorder is None:
            return None
        self.recorder.set_vendor(self._read_known_names, self.api_url)
        return self.recorder.record

    @property
    def shipped_streams(self) -> Sequence[type[RestStream]]:
        """The streams whose names and paths are the same for all companies."""
        return self.stream_types

    def _read_known_names(self) -> KnownNames:
        from singer_rest.record.names import read_known_names  # noqa: PLC0415 - few runs need it

        return read_known_names(type(self).__module__.partition(".")[0], self.shipped_streams, self.envelope_names)

    def discover_streams(self) -> Sequence[RestStream]:
        """Returns the available streams: all except the streams that a setting has to enable."""
        stream_types = self.stream_types
        check_parents(stream_types)
        streams = [self.only.select_class(offered)(self) for offered in stream_types if self._is_offered(offered)]
        self.only.mark_streams(streams)
        return self._without_lost_keys(streams)

    def _without_lost_keys(self, streams: list[RestStream]) -> list[RestStream]:
        """Leaves out the streams whose rows cannot be told apart without columns that the privacy profile drops."""
        if not self.privacy.is_active:
            return streams
        compiler = self.privacy.compiler
        lost = [stream.name for stream in streams if compiler.lost_keys(stream.name, stream.primary_keys)]
        if lost:
            self.logger.info(
                "The privacy profile %s drops a part of the keys of these streams, so they are not available: %s.",
                self.privacy.profile.name,
                ", ".join(lost),
            )
        return [stream for stream in streams if stream.name not in lost]

    @cached_property
    def privacy(self) -> TapPrivacy:
        """The privacy profile."""
        return TapPrivacy(self.config, self.name.removeprefix("tap-"), type(self).__module__.partition(".")[0])

    def annotated(self, stream: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Returns a stream's schema with the protection classes of its fields, and the profile if any is withheld."""
        found = self.privacy.classification.annotated(stream, schema)
        return {**found, "x-privacy": self.privacy.fingerprint} if self.privacy.is_active else found

    def make_pseudonyms(self, texts: Sequence[str]) -> list[str]:
        """Returns the pseudonyms of e-mail addresses, and of ids such as `employee:123`.

        Raises:
            RunError: If a text is neither, or there is no key.
        """
        return self.privacy.make_pseudonyms(texts)

    @property
    def catalog_dict(self) -> dict[str, Any]:
        """The catalog, with the protection class of each field."""
        found = super().catalog_dict
        for entry in found["streams"]:
            entry["schema"] = self.privacy.classification.annotated(entry["stream"], entry["schema"])
        return found

    @cached_property
    def only(self) -> RequestedRecords:
        """The records to read again, if not everything is read."""
        return RequestedRecords(self.config.get("only"), self.config.get("confirm_deleted"), self.name)

    @property
    def is_partial(self) -> bool:
        """Whether the run reads only given records or streams."""
        return bool(self.only)

    def report_outcome(self, streams: Sequence[SyncedStream]) -> None:
        """Writes the file in `only_report`."""
        if self.only and (path := self.config.get("only_report")):
            write_report(Path(path), cast("Sequence[RestStream]", streams))

    @property
    def part(self) -> Part | None:
        """The part of a back-fill that is read. None: everything, or changes."""
        return parts.part_of(self.config)

    def left_to_read(self, streams: Sequence[SyncedStream]) -> list[SyncedStream]:
        """Returns the streams of a part of a back-fill that its earlier runs have not read."""
        if self.part is None:
            return [*streams]
        left = parts.left_to_read(streams)
        if len(left) < len(streams):
            self.logger.info("Part %s: earlier runs have read %d streams.", self.part, len(streams) - len(left))
        return left

    def fail_where_all_is_skipped(self, streams: int) -> None:
        """Fails if the credential may read none of the streams. Other parts of a back-fill may have read something."""
        if self.part is None:
            super().fail_where_all_is_skipped(streams)

    def selected_streams(self) -> list[Any]:
        """Returns the streams that a run reads.

        Raises:
            RunError: If no stream is selected, or one cannot be read by the given ids.
        """
        selected = super().selected_streams()
        if self.privacy.is_active:
            self._warn_of_unmatched_paths(selected)
        for stream in selected:
            stream.part = self.part
        if not self.only:
            return selected
        streams = {name: stream for name, stream in self.streams.items() if isinstance(stream, RestStream)}
        self.only.check_streams(streams, {stream.name for stream in selected}, self.may_have)
        return [stream for stream in selected if self.only.includes(stream)]

    def _warn_of_unmatched_paths(self, streams: Sequence[SyncedStream]) -> None:
        """Warns of what the profile names in vain: a misspelled path would load what should be dropped."""
        for stream in streams:
            if stream.privacy and (names := self.privacy.compiler.find_unmatched(stream.name)):
                self.logger.warning(
                    "%s: the privacy profile %s names what this stream does not have, which has no effect: %s.",
                    stream.name,
                    self.privacy.profile.name,
                    ", ".join(names),
                )

    def _is_offered(self, stream_type: type[RestStream]) -> bool:
        if stream_type.setting and not self.config.get(stream_type.setting):
            return False
        patterns = self.config.get("optional_streams") or []
        return not stream_type.optional or any(fnmatchcase(stream_type.name, pattern) for pattern in patterns)

    def check_config(self) -> list[str]:
        """Returns a sentence for each invalid setting."""
        missing: list[list[str]] = [[name for name in group if not self.config.get(name)] for group in self.credentials]
        if missing and all(missing):
            nothing_given = [list(group) for group in self.credentials] == missing
            nearest: list[str] = missing[0] if nothing_given else min(missing, key=len)
            return [describe_missing_setting(nearest, self.name)]
        return [
            *check_common(self.config),
            *check_addresses({"api_url": self.api_url}, "api_url"),
            *check_headers(self.config, "user_agent", *self.header_settings),
            *parts.check_slice(self.config),
        ]

    def load_state(self, state: dict[str, Any]) -> None:
        """Loads the state of the previous run.

        Raises:
            RunError: If it is not a state of this tap.
        """
        bookmarks = state.get("bookmarks", None if state else {})
        if not isinstance(bookmarks, dict) or not all(isinstance(part, dict) for part in bookmarks.values()):
            raise RunError("The state is not a Singer state. Pass the one that this tap wrote, or run a full refresh.")
        if bookmarks and not any(self.may_have(name) for name in bookmarks):
            raise RunError(
                f"The state holds no stream of {self.name}: it seems to belong to another tap. Pass the one that this "
                "tap wrote, or run a full refresh."
            )
        parts.check_state(self.part, bookmarks)
        super().load_state(state)

    def account_id(self) -> str | None:
        """Returns the id of the account that the settings lead to. None: the vendor does not tell."""
        return None

    def is_account(self, account_id: str, known: Any) -> bool:  # noqa: ANN401 - what stands in a state
        """Whether two ids are of the same account.

        Args:
            account_id: The one that `account_id` returned.
            known: The one in the state.
        """
        return bool(account_id == known)

    def claim_state(self, streams: Sequence[SyncedStream]) -> bool:
        """Checks that the state is of the account that is read, and names the account in the state of the streams.

        A state that names none was written before the account was known, and is taken for that of the account.

        Returns:
            Whether the state has changed.

        Raises:
            RunError: If it is of another account, or the account is not known.
        """
        account = self.account
        states = [stream.stream_state for stream in streams]
        is_changed = self.privacy.claim_state(states, [account.kind] if account else [])
        is_changed |= account is not None and self._claim_account(account, states)
        if self.part:
            secret = self.credential_settings | {PRIVACY_KEY, f"{PRIVACY_KEY}{FILE}"}
            parts.claim_state(self.name, self.part, self.config, secret, states)
            is_changed = True  # even a run that finds nothing left to read writes the state
        return is_changed

    def _claim_account(self, account: Account, states: Sequence[dict[str, Any]]) -> bool:
        known = [part[account.kind] for part in self.state.get("bookmarks", {}).values() if part.get(account.kind)]
        account_id = self.account_id()
        if account_id is None:
            if known:
                raise RunError(account.is_unknown)
            self.logger.warning("%s", account.is_not_recorded)
            return False
        if not all(self.is_account(account_id, one) for one in known):
            raise RunError(account.is_another)
        unnamed = [state for state in states if state.get(account.kind) != account_id]
        for state in unnamed:
            state[account.kind] = account_id
        return bool(unnamed)

    def may_have(self, name: str) -> bool:
        """Whether this tap knows a stream of this name, even if it is not available with these settings."""
        return any(stream_type.name == name for stream_type in self.stream_types)

    def fetcher_for(self, streams: Sequence[SyncedStream], *, connection_test: bool) -> Fetcher:
        """Creates the fetcher for some streams.

        Raises:
            RunError: If a stream's parent is no stream of the tap.
        """
        for stream in streams:
            if (parent := stream.slices.parent) and not self.may_have(parent):
                raise RunError(unknown_parent(stream.name, parent, ()))
        # A connection test stops early: more workers would request pages that nobody reads.
        scheduler = self.new_scheduler(1 if connection_test else self.config["max_concurrency"])
        return Fetcher(
            cast("Sequence[RestStream]", streams), self.stream_named, scheduler, connection_test=connection_test
        )

    def new_scheduler(self, workers: int) -> Scheduler:
        """Creates a scheduler that shares the rate limiter."""
        limiter = self.rate_limiter
        return Scheduler(workers, limiter, lambda: limiter.answered, self.first_delay, self.config["max_wait"])

    def records_of(self, stream: RestStream) -> list[Record]:
        """Returns all records of a short list, as `parse` returns them, for use in discovery.

        Raises:
            AccessDeniedError: If the credential cannot read it.
            TapError: If it cannot be read.
            ConfigValidationError: If the settings are invalid.
        """
        self._validate_config()  # discovery alone does not validate
        self.require_mapper()
        fetcher = self.fetcher_for([stream], connection_test=False)
        fetcher.start()
        try:
            return [record for page in fetcher.read_blocking(fetcher.pages(stream.name)) for record in page.records]
        finally:
            fetcher.close()

    def stream_named(self, name: str) -> RestStream:
        """Returns a stream, available or not: the parent of a stream need not be available."""
        types = {stream_type.name: stream_type for stream_type in self.stream_types}
        return cast("RestStream", self.streams.get(name)) or types[name](self)
