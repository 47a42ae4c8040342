"""The Singer SDK's own tests for taps, against the sandbox."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hr_sandbox.testing import running
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

with socket.create_server(("127.0.0.1", 0)) as _free:
    PORT = _free.getsockname()[1]  # the suite wants the address before its fixtures run


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> Iterator[None]:
    with running(port=PORT, employees=40, requests_per_minute=600_000):
        yield


class TestTapPersonio(
    get_tap_test_class(
        TapPersonio,
        config={
            "api_url": f"http://127.0.0.1:{PORT}/personio",
            "client_id": "sandbox-client",
            "client_secret": "sandbox-secret",
        },
        suite_config=SuiteConfig(max_records_limit=150),
        catalog=TapPersonio(validate_config=False).catalog_dict,  # the suite makes taps before the sandbox runs
    )
):
    """The SDK's tests for every tap."""
