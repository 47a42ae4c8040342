"""The tap: settings, credentials, streams."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_rest import AccessDeniedError, Account, RestTap, TapError, common_settings
from singer_sdk import typing as th
from typing_extensions import override

from tap_cornerstone.auth import make_authenticator
from tap_cornerstone.client import LOOK_BACK_MINUTES, per_minute
from tap_cornerstone.odata import links
from tap_cornerstone.odata.services import OBJECTS, VIEWS, MetadataCache, Service, load_shipped
from tap_cornerstone.odata.stream import NO_TIMESTAMP_COLUMN, is_timestamp_column, stream_of
from tap_cornerstone.streams import STREAMS
from tap_cornerstone.streams.recruiting import STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_rest import Authenticator, RestStream

    from tap_cornerstone.odata.metadata import EntitySet

STREAM_NAMES = re.compile(r"^vw_|_core$|_history$|^scorm")
"""Valid names of views and objects."""

CORPNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
DEFAULT_HOURS = 24
TOUCHED = "_last_touched_dt_utc"

DEFAULT_OBJECTS = [
    "culture_core",
    "curriculum_structure_core",
    "ou_*core",
    "training_assignment*_core",
    "training_cf_core",
    "training_core",
    "training_local_core",
    "training_type*_core",
    "transcript_*core",
    "user_groups_core",
    "user_ou_core",
    "user_*status_local_core",
    "users_*core",
]
"""Users, units, training, transcripts, assignments, and their custom fields."""

DEFAULT_VIEWS = [
    "vw_rpt_custom_field_value_local",
    "vw_rpt_lo_form_cf_display_value_local",
    "vw_rpt_ou_cf*",
    "vw_rpt_training_cf*",
    "vw_rpt_transcript_cf",
    "vw_rpt_user_cf",
]
"""The reporting views of custom fields, and the labels of their values, which no object has."""


DEFAULTS = {OBJECTS: DEFAULT_OBJECTS, VIEWS: DEFAULT_VIEWS}
OTHER_NAMES = {OBJECTS: re.compile("^vw_"), VIEWS: re.compile("_core$")}
"""Names of the other service's streams."""


class TapCornerstone(RestTap):
    """Singer tap for Cornerstone OnDemand: every view and object of a portal, as that portal defines them."""

    name = "tap-cornerstone"
    credentials = (("client_id", "client_secret"), ("access_token",))
    permission_advice = (
        "In Cornerstone: Edge, API Management, the application: tick the scope. The application's service account "
        "needs the permission for the data, too."
    )
    account = Account("portal", "`corpname` or `api_url`")
    rates: ClassVar = {
        **{
            f"{VIEWS.root}/vw_rpt_{name}": per_minute(requests)
            for name, requests in {
                "applicant": 500,
                "ats_prescreening_questions": 720,
                "filter_lo_ou": 1320,
                "lo_form_cf_display_value_local": 1620,
                "offer_letter_decline_reason_local": 650,
                "ou_cf": 450,
                "resume": 480,
                "training": 420,
                "training_session_schedule": 520,
                "transcript": 940,
                "transcript_cf": 2200,
                "transcript_curricula": 120,
                "user_cf": 640,
                "user_ou": 420,
                "user_ou_info": 640,
            }.items()
        },
        **{stream.path: stream.rate for stream in STREAMS if stream.rate},
        "": per_minute(400),
    }
    envelope_names = (
        "customfields",
        "groups",
        "job",
        "job_status",
        "jobs",
        "permissions",
        "skill",
        "skills",
        "total_records",
        "trainingitem",
        "trainingitems",
        "transcriptitem",
        "transcripts",
        "usercustomfields",
    )
    config_jsonschema = th.PropertiesList(
        th.Property(
            "corpname",
            th.StringType,
            title="Corporation name",
            description="The portal's name: `acme` for https://acme.csod.com, `acme-stg` for its staging portal.",
        ),
        th.Property(
            "client_id",
            th.StringType,
            title="Client ID",
            description="Client ID of an OAuth 2.0 application (Cornerstone: Edge, API Management).",
        ),
        th.Property(
            "client_secret",
            th.StringType,
            secret=True,
            title="Client secret",
            description="Secret of the same application.",
        ),
        th.Property(
            "access_token",
            th.StringType,
            secret=True,
            title="Access token",
            description="An access token, instead of `client_id` and `client_secret`.",
        ),
        th.Property(
            "scope",
            th.StringType,
            default="all",
            title="Scope",
            description="Scopes to request, separated by spaces; `all` for all scopes of the application.",
        ),
        th.Property(
            "objects",
            th.ArrayType(th.StringType),
            default=DEFAULT_OBJECTS,
            title="Objects",
            description=(
                'Data Exporter objects to make available, as glob patterns; `["*"]` for all, `[]` for none. By default '
                "those of users, units, training, transcripts and assignments."
            ),
        ),
        th.Property(
            "views",
            th.ArrayType(th.StringType),
            default=DEFAULT_VIEWS,
            title="Views",
            description=(
                'Reporting views to make available, as glob patterns; `["*"]` for all, `[]` for none. By default '
                "those of custom fields."
            ),
        ),
        th.Property(
            "replication_keys",
            th.ObjectType(additional_properties=th.StringType),
            default={},
            title="Replication keys",
            description=(
                "By view: the column with the time of the last change, if the portal has no `_last_touched_dt_utc`."
            ),
        ),
        th.Property(
            "lookback_minutes",
            th.IntegerType,
            default=LOOK_BACK_MINUTES,
            title="Look-back in minutes",
            description="How far before its bookmark a run reads again (0 to 100000): reports lag behind the portal.",
        ),
        th.Property(
            "metadata_cache_hours",
            th.IntegerType,
            default=DEFAULT_HOURS,
            title="Hours of the metadata cache",
            description="Hours for which the portal's description of its views and objects is cached (0 to 720).",
        ),
        th.Property(
            "applicant_statuses",
            th.ArrayType(th.StringType),
            default=STATUSES,
            title="Statuses of applicants",
            description="Statuses that `job_applicants` requests; set them to those of your portal.",
        ),
        *common_settings(api_url=None, request_timeout=300),
    ).to_dict()

    @property
    @override
    def api_url(self) -> str:
        url = self.config.get("api_url") or f"https://{self.config.get('corpname')}.csod.com"
        return str(url).rstrip("/")

    @property
    @override
    def addresses(self) -> Sequence[str]:
        return [self.api_url] if self.config.get("api_url") or self.config.get("corpname") else []

    @override
    @cached_property
    def authenticator(self) -> Authenticator:
        return make_authenticator(self.config, self.transport, self.first_delay)

    @cached_property
    def stream_types(self) -> Sequence[type[RestStream]]:
        """The selected views and objects of the portal, and the REST lists."""
        odata = [
            stream_of(entity_set, service, self._replication_key(entity_set))
            for service, sets in self._available.items()
            for entity_set in sets
        ]
        configured = (self.config.get("replication_keys") or {}).keys() if self._has_portal else set()
        for name in configured - {stream.name for stream in odata}:
            self.logger.warning(
                "`replication_keys` names %s, which is not among the available views and objects.", name
            )
        return list({stream.name: stream for stream in (*STREAMS, *reversed(odata))}.values())

    @property
    @override
    def shipped_streams(self) -> Sequence[type[RestStream]]:
        return STREAMS

    @cached_property
    def _available(self) -> Mapping[Service, Sequence[EntitySet]]:
        """The selected entity sets of each service.

        A service whose metadata the credential cannot read is skipped with a warning, and the other streams are
        read. During discovery it is an error if no service remains.
        """
        services = [
            service for service in (OBJECTS, VIEWS) if self._name_patterns(service) and self._is_selected(service)
        ]
        available: dict[Service, Sequence[EntitySet]] = {}
        refusals: dict[Service, str] = {}
        for service in services:
            try:
                available[service] = self._select_sets(service)
            except AccessDeniedError as error:
                refusals[service] = str(error)
        is_none_left = len(refusals) == len(services) and self.input_catalog is None
        for service, sentence in refusals.items():
            if is_none_left or self.config.get("on_missing_access") == "fail":
                raise TapError(
                    f"{sentence} Grant that scope, set `{service.name}` to [] to leave them out, or set another "
                    "`access_token` if the given one has expired."
                )
            self.logger.warning("%s Skipping them; the run continues.", sentence)
            self.discovery_problems.append(sentence)
        return available

    def _name_patterns(self, service: Service) -> Sequence[str]:
        patterns: Sequence[str] | None = self.config.get(service.name)
        return DEFAULTS[service] if patterns is None else patterns

    def _is_selected(self, service: Service) -> bool:
        """Whether the user's catalog may select a stream of a service. If not, the service is not requested."""
        if self.input_catalog is None:
            return True
        names = {name for name, entry in self.input_catalog.items() if entry.metadata.resolve_selection()[()]}
        others = names - {stream.name for stream in STREAMS}
        return any(not OTHER_NAMES[service].search(name) for name in others)

    def _select_sets(self, service: Service) -> list[EntitySet]:
        defaults, patterns = DEFAULTS[service], self._name_patterns(service)
        sets = self._metadata.entity_sets(service) if self._has_portal else load_shipped()[service.name]
        for pattern in patterns:
            is_custom = self._has_portal and pattern not in defaults
            if is_custom and not any(fnmatchcase(one.name, pattern) for one in sets):
                self.logger.warning("`%s`: nothing in the portal matches `%s`.", service.name, pattern)
        return [found for found in sets if any(fnmatchcase(found.name, pattern) for pattern in patterns)]

    @property
    def _has_portal(self) -> bool:
        """Whether a portal and a credential are set, so that the metadata can be requested."""
        has_credential = any(all(self.config.get(name) for name in group) for group in self.credentials)
        return has_credential and bool(self.config.get("api_url") or self.config.get("corpname"))

    @cached_property
    def _metadata(self) -> MetadataCache:
        self._validate_config()  # discovery alone does not validate
        client = f"{self.config.get('client_id')} {self.config.get('scope')}"
        hours = self.config.get("metadata_cache_hours")
        hours = DEFAULT_HOURS if hours is None else hours
        token = self.config.get("access_token") or ""
        return MetadataCache(
            self.transport, self.authenticator, client, token=token, hours=hours, first_delay=self.first_delay
        )

    def _replication_key(self, entity_set: EntitySet) -> str | None:
        """Returns the column that tells when a row was touched. None: there is none, or rows have no key."""
        configured = (self.config.get("replication_keys") or {}).get(entity_set.name)
        if configured and not (entity_set.key and is_timestamp_column(entity_set, configured)):
            self.logger.warning("`replication_keys` cannot be used for %s: %s.", entity_set.name, NO_TIMESTAMP_COLUMN)
            configured = None
        configured = configured or TOUCHED
        return configured if entity_set.key and is_timestamp_column(entity_set, configured) else None

    @override
    def account_id(self) -> str | None:
        return self.api_url

    @override
    def is_account(self, account_id: str, known: Any) -> bool:
        return links.is_same(known, account_id)

    @override
    def may_have(self, name: str) -> bool:
        return super().may_have(name) or bool(STREAM_NAMES.search(name))

    @override
    def check_config(self) -> list[str]:
        corpname, url = self.config.get("corpname"), self.config.get("api_url")
        if not corpname and not url:
            return ["Set `corpname` (acme of https://acme.csod.com), or `api_url`."]
        if corpname and not CORPNAME.fullmatch(corpname):
            return ["Set `corpname` to the portal's name only: acme of https://acme.csod.com."]
        errors = super().check_config()
        if not all(status.strip() for status in self.config.get("applicant_statuses") or ()):
            errors.append("Set `applicant_statuses` to the names of statuses; one of them is empty.")
        for name, most in (("lookback_minutes", 100_000), ("metadata_cache_hours", 720)):
            if not 0 <= int(self.config.get(name) or 0) <= most:
                errors.append(f"Set `{name}` to a number from 0 to {most}.")
        return errors
