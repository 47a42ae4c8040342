"""Per vendor: the tap's settings, and the rows expected in a table for the sandbox's records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from singer_rest.testing import canonical_value, differing_fields
from tap_cornerstone import testing as cornerstone
from tap_factorial import testing as factorial
from tap_factorial.table import load_table, stream_name
from tap_personio import testing as personio

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

Row = dict[str, Any]
Key = tuple[str, ...]

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - the sandbox's own, and documented
API_KEY = "sandbox-api-key"
INTEGRATION = "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"


@dataclass(frozen=True)
class Vendor:
    """A vendor and its tap.

    Args:
        name: Name in the sandbox; its tap is `tap-<name>`.
        credentials: Settings with the tap's credentials.
        everything: Settings that enable all optional streams; `{url}` is the sandbox.
        expected_rows: Returns the expected rows for a stream's records in the sandbox.
        differs: Returns the fields in which a loaded row differs from the expected one.
        parent_streams: Streams with child streams. Deleting a parent in the sandbox would keep its children.
        read_once: Streams whose parts are read once, although the sandbox renders them again from current data.
        timestamp_fields: By stream: the field with the time of the last change, if the catalog names none.
        by_credential: Streams whose rows depend on the credential.
        unmutated: By stream: fields that the mutator does not change, because the tap takes them from the request or
            makes a key of them.
    """

    name: str
    credentials: Mapping[str, str]
    everything: Mapping[str, Any]
    expected_rows: Callable[[str, list[Row]], list[Row]]
    differs: Callable[[str, Row, Row], set[str]]
    parent_streams: frozenset[str] = frozenset()
    read_once: frozenset[str] = frozenset()
    timestamp_fields: Mapping[str, str] = field(default_factory=dict)
    by_credential: frozenset[str] = frozenset()
    unmutated: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def tap(self) -> str:
        """The tap's command name."""
        return f"tap-{self.name}"

    def make_config(self, url: str, **more: Any) -> dict[str, Any]:
        """Returns the tap's settings for a sandbox or a proxy at a URL."""
        settings = {
            "api_url": f"{url}/{self.name}",
            **self.credentials,
            **{
                name: value.format(url=url) if isinstance(value, str) else value
                for name, value in self.everything.items()
            },
            **more,
        }
        return {name: value for name, value in settings.items() if value is not None}


def key_of(names: Iterable[str], row: Mapping[str, Any]) -> Key:
    """Returns a row's key in a form that is the same for the vendor, the tap and the table."""
    return tuple(str(canonical_value(row.get(name))) for name in names)


def _expect_personio_rows(stream: str, bodies: list[Row]) -> list[Row]:
    return list(personio.index_by_key(stream, bodies).values())


def _expect_factorial_rows(stream: str, bodies: list[Row]) -> list[Row]:
    rows = [factorial.expected_row(body) for body in bodies]
    for row in rows:
        if stream != "documents_documents":  # internal to the sandbox elsewhere
            row.pop("by_trash_bin", None)
    return rows


def _expect_cornerstone_rows(stream: str, bodies: list[Row]) -> list[Row]:
    return cornerstone.expected_rows(stream, bodies)


PERSONIO = Vendor(
    name="personio",
    credentials={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    everything={"optional_streams": ["*"], "legacy_v1_streams": True, "careers_url": "{url}/personio-careers"},
    expected_rows=_expect_personio_rows,
    differs=personio.differing_fields,
    unmutated={"project_members": {"person"}},
)
PARENT_STREAMS = {
    stream_name(row.parent) for rows in load_table().lists.values() for row in rows.values() if row.parent
}
FACTORIAL = Vendor(
    name="factorial",
    credentials={"api_key": API_KEY},
    everything={"optional_streams": ["*"], "integration_uuid": INTEGRATION},
    expected_rows=_expect_factorial_rows,
    differs=lambda _stream, row, record: differing_fields(row, record),
    parent_streams=frozenset({*PARENT_STREAMS, "persons"}),
    by_credential=frozenset({"api_public_credentials"}),
)
CORNERSTONE = Vendor(
    name="cornerstone",
    credentials={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    everything={"optional_streams": ["*"]},
    expected_rows=_expect_cornerstone_rows,
    differs=lambda _stream, row, record: differing_fields(row, record),
    read_once=frozenset({"bulk_import_reports"}),
    timestamp_fields={"transcripts": "ModificationDate"},
    unmutated={"employee_skills": {"employeeId"}},
)
VENDORS = {vendor.name: vendor for vendor in (PERSONIO, FACTORIAL, CORNERSTONE)}
