"""The state is of one company: another one's is rejected, whatever the host and the credential are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hr_sandbox.testing import running
from singer_rest import RunError
from singer_rest.testing import Host, ReceivedRequest, Response, hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANOTHER = "The state belongs to a different company from that of the credential."
UNKNOWN = "The vendor does not name the company of the credential, so the state may belong to a different one."
META = {"has_next_page": False, "limit": 100}


def credential_response(company_id: Any) -> Response:
    return Response({"data": [{"id": "access-0", "company_id": company_id}], "meta": META})


@pytest.fixture
def vendor() -> Iterator[Callable[[Response], Host]]:
    """Starts a host with one team. The given response is that to the request for the credential."""
    teams = Response({"data": [{"id": "1"}], "meta": META})

    def answers(credentials: Response) -> Callable[[ReceivedRequest], Response]:
        return lambda received_request: (
            credentials if received_request.path.endswith("/api_public/credentials") else teams
        )

    with hosts() as start:
        yield lambda credentials: start(answers(credentials))


def test_another_company_is_refused_before_anything_is_written(run: Callable[..., Any]) -> None:
    with running(employees=10, requests_per_minute=600_000) as one:
        first = run(f"{one.url}/factorial", "teams_teams")
    with running(employees=10, seed=8, requests_per_minute=600_000) as other:
        fails: list[Exception] = []
        second = run(f"{other.url}/factorial", "teams_teams", "employees_employees", state=first.state, fails=fails)
        resources = {request["path"].rpartition("/")[2] for request in other.requests()}
    assert isinstance(fails[0], RunError)
    assert str(fails[0]).startswith(ANOTHER)
    assert second.messages == []
    assert resources == {"credentials"}


def test_the_same_company_goes_on_with_another_credential_host_and_version(
    run: Callable[..., Any], vendor: Callable[[Response], Host]
) -> None:
    first = run(vendor(credential_response("18446744073709551")).url, "teams_teams")
    assert first.state["bookmarks"]["teams_teams"]["company"] == "18446744073709551"
    host, config = vendor(credential_response(18446744073709551)), {"access_token": "t", "api_version": "2026-04-01"}
    second = run(host.url, "teams_teams", state=first.state, **config)
    assert len(second.messages_of("ACTIVATE_VERSION")) == 1


def test_a_state_without_a_company_is_completed(run: Callable[..., Any], vendor: Callable[[Response], Host]) -> None:
    host = vendor(credential_response("1"))
    first = run(host.url, "teams_teams")
    del first.state["bookmarks"]["teams_teams"]["company"]
    second = run(host.url, "teams_teams", state=first.state)
    assert second.state["bookmarks"]["teams_teams"]["company"] == "1"


@pytest.mark.parametrize(
    "credentials",
    [
        credential_response(None),
        credential_response({"id": 1}),
        Response({"data": [], "meta": META}),
        Response({"errors": None}),
        Response({"errors": [{"code": "forbidden"}]}, 403),
        Response({"errors": []}, 500),
    ],
)
def test_a_company_that_is_not_known_loads_but_does_not_continue_that_of_a_state(
    run: Callable[..., Any], vendor: Callable[[Response], Host], credentials: Response
) -> None:
    known = run(vendor(credential_response("1")).url, "teams_teams")
    fails: list[Exception] = []
    assert run(vendor(credentials).url, "teams_teams", state=known.state, fails=fails).messages == []
    assert str(fails[0]).startswith(UNKNOWN)
    first = run(vendor(credentials).url, "teams_teams")
    assert first.counts() == {"teams_teams": 1}
    assert "company" not in first.state["bookmarks"]["teams_teams"]
