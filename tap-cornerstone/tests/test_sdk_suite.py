"""The Singer SDK's own tests for taps, against the sandbox: some objects and a view."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hr_sandbox.testing import running
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_rest import RestStream

pytestmark = pytest.mark.slow

with socket.create_server(("127.0.0.1", 0)) as _free:
    PORT = _free.getsockname()[1]  # the suite wants the address before its fixtures run

CONFIG = {
    "api_url": f"http://127.0.0.1:{PORT}/cornerstone",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
    "objects": ["users_core", "user_ou_core", "users_cf_core"],
    "views": ["vw_rpt_transcript"],
}


class FewStreams(TapCornerstone):
    """The tap with these views and objects only.

    It uses the metadata in the package, because the SDK's suite creates taps before the sandbox runs.
    """

    _has_portal = False

    @property
    def stream_types(self) -> Sequence[type[RestStream]]:  # type: ignore[override]
        return [stream for stream in super().stream_types if hasattr(stream, "entity_set")]


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> Iterator[None]:
    with running(port=PORT, employees=40, requests_per_minute=600_000):
        yield


class TestTapCornerstone(
    get_tap_test_class(FewStreams, config=CONFIG, suite_config=SuiteConfig(max_records_limit=150))
):
    """The SDK's tests for every tap."""
