"""What the trials know of each vendor: how its tap is set up, and what of the sandbox's rows should be in a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from singer_rest.testing import differs, meaning
from tap_cornerstone import testing as cornerstone
from tap_factorial import testing as factorial
from tap_factorial.table import stream_name, table
from tap_personio import testing as personio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Row = dict[str, Any]
Key = tuple[str, ...]

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - the sandbox's own, and documented
API_KEY = "sandbox-api-key"
INTEGRATION = "7c1f6c2e-5a0b-4c43-9a57-2f4f3f1d9a10"


@dataclass(frozen=True)
class Vendor:
    """A vendor as the trials see it.

    Args:
        name: As the sandbox calls it; its tap is `tap-<name>`.
        credentials: The tap's settings that let it in.
        everything: The settings that switch on its optional streams; `{url}` is the sandbox.
        emitted: What the sandbox's bodies of a stream are as rows.
        differs: Names of the fields in which a record does not say what a row says.
        walked: Streams whose rows others are asked for by: the sandbox would not forget those with them.
        once: Streams of which each part is read once, though the sandbox makes it anew from the company as it is.
        stamps: By stream: the field that tells when a row changed, where the catalog names none.
        by_credential: Streams whose rows depend on the credential that reads them.
    """

    name: str
    credentials: Mapping[str, str]
    everything: Mapping[str, Any]
    emitted: Callable[[str, list[Row]], list[Row]]
    differs: Callable[[str, Row, Row], set[str]]
    walked: frozenset[str] = frozenset()
    once: frozenset[str] = frozenset()
    stamps: Mapping[str, str] = field(default_factory=dict)
    by_credential: frozenset[str] = frozenset()

    @property
    def tap(self) -> str:
        """The tap's command."""
        return f"tap-{self.name}"

    def config(self, url: str, **more: Any) -> dict[str, Any]:
        """The tap's settings, for a sandbox or a proxy at this address."""
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
    """A row's key in one form, whether it comes from the vendor, the tap or the table."""
    return tuple(str(meaning(row.get(name))) for name in names)


def _personio(stream: str, bodies: list[Row]) -> list[Row]:
    return list(personio.by_key(stream, bodies).values())


def _factorial(stream: str, bodies: list[Row]) -> list[Row]:
    rows = [factorial.emitted(body) for body in bodies]
    for row in rows:
        if stream != "documents_documents":  # of others the sandbox notes it for itself
            row.pop("by_trash_bin", None)
    return rows


def _cornerstone(stream: str, bodies: list[Row]) -> list[Row]:
    return cornerstone.emitted(stream, bodies)


PERSONIO = Vendor(
    name="personio",
    credentials={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    everything={"optional_streams": ["*"], "legacy_v1_streams": True, "careers_url": "{url}/personio-careers"},
    emitted=_personio,
    differs=personio.differs,
)
WALKED = {stream_name(row.parent) for rows in table().lists.values() for row in rows.values() if row.parent}
FACTORIAL = Vendor(
    name="factorial",
    credentials={"api_key": API_KEY},
    everything={"optional_streams": ["*"], "integration_uuid": INTEGRATION},
    emitted=_factorial,
    differs=lambda _stream, row, record: differs(row, record),
    walked=frozenset({*WALKED, "persons"}),
    by_credential=frozenset({"api_public_credentials"}),
)
CORNERSTONE = Vendor(
    name="cornerstone",
    credentials={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    everything={"optional_streams": ["*"]},
    emitted=_cornerstone,
    differs=lambda _stream, row, record: differs(row, record),
    once=frozenset({"bulk_import_reports"}),
    stamps={"transcripts": "ModificationDate"},
)
VENDORS = {vendor.name: vendor for vendor in (PERSONIO, FACTORIAL, CORNERSTONE)}
