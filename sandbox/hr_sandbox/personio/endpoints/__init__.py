"""The endpoints of v2, a declaration each. Of paths that a request fits, the first one answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.personio.endpoints import documents, people, recruiting, structure, working_time

if TYPE_CHECKING:
    from hr_sandbox.personio.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *people.ENDPOINTS,
    *structure.ENDPOINTS,
    *working_time.ENDPOINTS,
    *recruiting.ENDPOINTS,
    *documents.ENDPOINTS,
)
