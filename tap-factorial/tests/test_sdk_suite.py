"""The Singer SDK's own tests for taps, against the sandbox: a stream of each kind, for the fields are thousands."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hr_sandbox.testing import running
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_factorial.tap import TapFactorial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_rest import RestStream

pytestmark = pytest.mark.slow

with socket.create_server(("127.0.0.1", 0)) as _free:
    PORT = _free.getsockname()[1]  # the suite wants the address before its fixtures run

OF_EACH_KIND = {
    "attendance_shifts",
    "contracts_contract_activity_periods",
    "contracts_contracts",
    "contracts_german_contract_types",
    "employees_employees",
    "job_catalog_tree_nodes",
    "posts_comments",
    "posts_posts",
    "project_management_projects",
    "teams_teams",
}


class FewStreams(TapFactorial):
    """The tap with these streams only."""

    @property
    def stream_types(self) -> Sequence[type[RestStream]]:
        return [stream for stream in super().stream_types if stream.name in OF_EACH_KIND]


@pytest.fixture(scope="module", autouse=True)
def sandbox() -> Iterator[None]:
    with running(port=PORT, employees=20, requests_per_minute=600_000):
        yield


class TestTapFactorial(
    get_tap_test_class(
        FewStreams,
        config={"api_url": f"http://127.0.0.1:{PORT}/factorial", "api_key": "sandbox-api-key"},
        suite_config=SuiteConfig(max_records_limit=150),
        catalog=FewStreams(validate_config=False).catalog_dict,  # the suite makes taps before the sandbox runs
    )
):
    """The SDK's tests for every tap."""
