"""The endpoints of v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.http.routing import Router
from hr_sandbox.personio.endpoints import absences, documents, people, recruiting, reports, structure, working_time

if TYPE_CHECKING:
    from hr_sandbox.personio.endpoint import Endpoint

ENDPOINTS: Router[Endpoint] = Router(
    endpoint
    for module in (people, absences, structure, working_time, recruiting, documents, reports)
    for declared in module.ENDPOINTS
    for endpoint in declared.with_item()
)
