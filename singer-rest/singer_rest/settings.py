"""The settings that all taps share, and messages for invalid ones."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from singer_sdk import typing as th

from singer_rest import times
from singer_rest.errors import RunError
from singer_rest.http.rate_limits import MAX_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jsonschema import ValidationError


ONLY = re.compile(r"(?P<stream>\w+)(?P<optional>\?)?(?:=(?P<ids>[^\s;,=]+(?:,[^\s;,=]+)*))?")
YEARS = range(1970, 2200)
ADDRESS = re.compile(r"https?://(\w[\w.-]*|\[[\da-fA-F:.]+\])(:\d{1,5})?(/[\w./~%-]*)?", re.ASCII)
HEADER = re.compile(r"[\x20-\x7e]*")


class RequestedIds(NamedTuple):
    """What a setting names of a stream.

    Args:
        ids: The ids of records. Empty: what has changed is read.
        is_optional: Whether the stream is passed over if it is not available or not selected.
    """

    ids: list[str]
    is_optional: bool


def common_settings(api_url: str | None, request_timeout: int = 60) -> list[th.Property[Any]]:
    """Returns the settings of every tap.

    Args:
        api_url: The default of `api_url`. None: each customer has a different host.
        request_timeout: The default of `request_timeout`, in seconds.
    """
    return [
        th.Property(
            "api_url",
            th.StringType,
            default=api_url,
            title="API URL",
            description="Base URL of the vendor's API, or of a sandbox.",
        ),
        th.Property(
            "start_date",
            th.DateTimeType,
            title="Start date",
            description=("Read data changed or dated since this date or date-time, in UTC unless it has a time zone."),
        ),
        th.Property(
            "end_date",
            th.DateTimeType,
            title="End date",
            description="Last date or date-time of streams that are read by date windows.",
        ),
        th.Property(
            "max_concurrency",
            th.IntegerType,
            default=8,
            title="Concurrent requests",
            description="Maximum number of concurrent requests (1 to 64).",
        ),
        th.Property(
            "requests_per_minute",
            th.IntegerType,
            title="Requests per minute",
            description="Your own cap on requests per minute, in addition to the vendor's limits.",
        ),
        th.Property(
            "request_timeout",
            th.IntegerType,
            default=request_timeout,
            title="Request time-out",
            description=(
                "Seconds to wait for a connection, and for each part of a response. The whole response may take five "
                "times as long, and one request half an hour including its retries."
            ),
        ),
        th.Property(
            "max_wait",
            th.IntegerType,
            default=int(MAX_WAIT),
            title="Longest wait",
            description=(
                "Maximum number of seconds that a rate limit may hold a request back (1 to 86400). A stream that would "
                "have to wait longer fails; the others go on."
            ),
        ),
        th.Property(
            "user_agent",
            th.StringType,
            title="User agent",
            description="The User-Agent header; by default the tap's name and version.",
        ),
        th.Property(
            "on_missing_access",
            th.StringType,
            default="skip",
            allowed_values=["skip", "fail"],
            title="On missing access",
            description=(
                "What to do with a stream that the credential has no permission for: `skip` it with a warning, or "
                "`fail` the run."
            ),
        ),
        th.Property(
            "optional_streams",
            th.ArrayType(th.StringType),
            default=[],
            title="Optional streams",
            description='Streams to enable that are off by default, as glob patterns; `["*"]` enables all.',
        ),
        th.Property(
            "privacy",
            th.StringType,
            default="everything",
            title="Privacy profile",
            description=(
                "What may be loaded: `everything`, `no-pay`, `pseudonymous`, `minimal`, or the path of a YAML file "
                "with a profile of your own."
            ),
        ),
        th.Property(
            "privacy_key",
            th.StringType,
            secret=True,
            title="Privacy key",
            description="The key of the pseudonyms, at least 32 characters. Better: `privacy_key_file`.",
        ),
        th.Property(
            "privacy_space",
            th.StringType,
            title="Privacy space",
            description=(
                "The name of the company in pseudonyms of ids, for several companies that share a key: equal ids of "
                "two companies then have different pseudonyms."
            ),
        ),
        th.Property(
            "metrics_file",
            th.StringType,
            title="Metrics file",
            description=(
                "A file to write the numbers of each run to, for Prometheus: `NAME.prom` in the folder of "
                "node_exporter's textfile collector."
            ),
        ),
        th.Property(
            "privacy_agreement",
            th.StringType,
            title="Privacy agreement",
            description=(
                "A dossier (YAML) that `--dossier` wrote and that was agreed to: a run that would load more fails "
                "before its first request."
            ),
        ),
        th.Property(
            "only",
            th.StringType,
            title="Only these records",
            description=(
                "Streams and ids, such as `persons=1,2 absence_periods=3`: only these records are read again, with "
                "those of child streams, and the state stays as it is. A stream without ids: what has changed in it is "
                "read. `persons?=1`: passed over if it is not selected. For single runs; same as `--only`."
            ),
        ),
        th.Property(
            "confirm_deleted",
            th.StringType,
            title="Confirm these deletions",
            description=(
                "Streams and ids of records that were reported as deleted, such as `persons=3`: like `only`, but rows "
                "of records that the vendor no longer knows are marked as deleted; same as `--confirm-deleted`."
            ),
        ),
        th.Property(
            "only_report",
            th.StringType,
            title="Report on these records",
            description=(
                "A file to write the outcome of a run with `only` or `confirm_deleted` to: a JSON object with the ids "
                "that were `found`, `deleted`, `missing` or `unconfirmed`, by stream."
            ),
        ),
        th.Property(
            "slice",
            th.StringType,
            title="Part of a back-fill",
            description=(
                "Which part of everything to read, such as `3/8`: eight runs, each with a part and a state of its own, "
                "read everything between them, and `--merge-states` merges their states. Same as `--slice`."
            ),
        ),
    ]


def describe_invalid_setting(error: ValidationError, name: str) -> str:
    """Describes an invalid setting without showing its value.

    Args:
        error: The error that the JSON Schema of the settings reports.
        name: Name of the plugin.
    """
    setting = ".".join(str(part) for part in error.absolute_path)
    expected: Any = error.validator_value
    if error.validator == "required":
        instance: Any = error.instance
        return describe_missing_setting([key for key in expected if key not in instance], name)
    if error.validator == "enum":
        return f"Set `{setting}` to one of: {', '.join(str(value) for value in expected)}."
    if error.validator == "type":
        kinds = expected if isinstance(expected, list) else [expected]
        return f"Set `{setting}` to a value of type {' or '.join(kind for kind in kinds if kind != 'null')}."
    if error.validator == "format":
        return f"Set `{setting}` to a {expected}."
    return f"The setting `{setting}` is invalid: see its possible values with `{name} --about`."


def describe_missing_setting(settings: Iterable[str], name: str) -> str:
    """Returns sentences that say which settings are missing and where to set them."""
    return " ".join(
        f"Set `{setting}`: {variable} is set in the environment, but is read only with --config=ENV."
        if os.environ.get(variable := _variable_name(name, setting))
        else f"Set `{setting}` (in the config, or as {variable} in the environment)."
        for setting in settings
    )


def wrong_variables(properties: Mapping[str, Any], name: str, environment: Mapping[str, str]) -> list[str]:
    """Returns a sentence for each environment variable that the SDK cannot convert to its setting's type."""
    return [
        f"Set `{setting}` ({variable} in the environment) to a value of type {kind}."
        for setting, definition in properties.items()
        if (variable := _variable_name(name, setting)) in environment
        for kind, reads in (("integer", int), ("object", json.loads))
        if kind in definition.get("type", ()) and not _can_parse(reads, environment[variable])
    ]


def unknown_settings(
    config: Mapping[str, Any], known: Iterable[str], name: str, environment: Mapping[str, str]
) -> list[str]:
    """Returns a sentence for each unknown setting, which may be misspelt.

    Args:
        config: The given settings.
        known: The names of all settings, including the SDK's own.
        name: Name of the plugin.
        environment: The variables that settings are read from. Empty: settings are not read from the environment.
    """
    names = sorted(known)
    by_variable = {_variable_name(name, setting): setting for setting in names}
    prefix = _variable_name(name, "")
    # Names that start with an underscore are Meltano's own.
    unknowns = [setting for setting in config if setting not in names and not setting.startswith("_")]
    unknowns += [
        variable
        for variable in environment
        if variable.startswith(prefix) and variable not in by_variable and not variable.startswith(f"{prefix}_")
    ]
    sentences = []
    for unknown in unknowns:
        import difflib  # noqa: PLC0415 - rarely needed

        near = difflib.get_close_matches(unknown, [*names, *by_variable], n=1)
        advice = f" Did you mean `{near[0]}`?" if near else f" See all settings with `{name} --about`."
        sentences.append(f"There is no setting `{unknown}`; it has no effect.{advice}")
    return sentences


def _variable_name(name: str, setting: str) -> str:
    """Returns the name of the environment variable for a plugin's setting."""
    return f"{name}_{setting}".upper().replace("-", "_")


def _can_parse(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def check_addresses(config: Mapping[str, Any], *names: str) -> list[str]:
    """Returns a sentence for each setting that should hold a URL and does not."""
    return [
        f"Set `{name}` to an address such as https://host.example, with nothing after the path."
        for name in names
        if not ADDRESS.fullmatch(str(config.get(name) or ""))
    ]


def parse_requested_ids(text: str, setting: str) -> dict[str, RequestedIds]:
    """Parses a setting that holds streams and ids: ``persons=1,2 absence_periods?=3 attendance_periods``.

    Args:
        text: Its value.
        setting: Its name.

    Raises:
        RunError: If the text has another form.
    """
    found: dict[str, RequestedIds] = {}
    for part in filter(None, re.split(r"[\s;]+", text)):
        match = ONLY.fullmatch(part)
        if match is None or (match["ids"] is None and setting != "only"):
            raise RunError(
                f"Set `{setting}` to streams and ids such as persons=1,2 (several streams separated by spaces)."
            )
        known = found.get(match["stream"], RequestedIds([], is_optional=True))
        ids = dict.fromkeys([*known.ids, *(match["ids"].split(",") if match["ids"] else ())])
        found[match["stream"]] = RequestedIds([*ids], is_optional=known.is_optional and match["optional"] is not None)
    return found


def check_common(config: Mapping[str, Any]) -> list[str]:
    """Checks what the JSON Schema of the common settings cannot express.

    Returns:
        A sentence for each invalid setting.
    """
    errors = [
        f"Set `{name}` to a date or date-time such as 2024-01-31 or 2024-01-31T00:00:00Z."
        for name in ("start_date", "end_date")
        if config.get(name) and not _is_date(config[name])
    ]
    start, end = config.get("start_date"), config.get("end_date")
    if not errors and start and end and times.parse(start) > times.parse(end):
        errors.append("Set `end_date` to a date after `start_date`.")
    errors += [
        f"Set `{name}` to a number from {low} to {high}."
        for name, low, high in (
            ("max_concurrency", 1, 64),
            ("requests_per_minute", 1, 1_000_000),
            ("request_timeout", 1, 3600),
            ("max_wait", 1, 86_400),
        )
        if isinstance(config.get(name), (int, float)) and not low <= config[name] <= high
    ]
    return errors


def check_headers(config: Mapping[str, Any], *names: str) -> list[str]:
    """Returns a sentence for each setting that cannot be sent as a header."""
    return [
        f"Set `{name}` to plain ASCII text without line breaks."
        for name in names
        if not HEADER.fullmatch(str(config.get(name) or ""))
    ]


def _is_date(value: str) -> bool:
    try:
        return times.parse(value).year in YEARS
    except (ValueError, AttributeError):
        return False
