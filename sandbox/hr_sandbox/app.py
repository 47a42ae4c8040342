"""The ASGI application: the company, the vendors and the controls."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount

from hr_sandbox.company import build_company
from hr_sandbox.controls import Controls
from hr_sandbox.cornerstone import Cornerstone
from hr_sandbox.factorial import Factorial
from hr_sandbox.http.faults import Faults
from hr_sandbox.http.traffic import Log, VendorApp
from hr_sandbox.personio import Personio
from hr_sandbox.pushes.sender import Sender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from hr_sandbox.http.traffic import Site
    from hr_sandbox.options import Options
    from hr_sandbox.vendor import Vendor


def make_app(options: Options) -> Starlette:
    """Generates the company and builds the application that serves it."""
    company = build_company(options.employees, options.seed, options.today)
    sender = Sender(options.seed, allow_remote=options.allow_remote)
    personio = Personio(company, options, sender)
    made = (personio, Factorial(company, options, sender), Cornerstone(company, options, sender))
    vendors: dict[str, Vendor] = {vendor.name: vendor for vendor in made}
    faults = Faults(options.fault_rate, options.seed)
    log = Log()
    sites: dict[str, Site] = {**vendors, personio.careers.name: personio.careers}
    controls = Controls(company, vendors, faults, log, tuple(sites), sender=sender)
    latency = options.latency_ms / 1000

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        sender.stop()

    return Starlette(
        routes=[
            Mount("/_control", routes=controls.make_routes()),
            *(Mount(f"/{name}", VendorApp(site, faults, log, latency)) for name, site in sites.items()),
        ],
        lifespan=lifespan,
        exception_handlers={404: _respond_not_found, 405: _respond_not_found},
    )


async def _respond_not_found(request: Request, _error: Exception) -> JSONResponse:
    sentence = f"The sandbox serves nothing for {request.method} {request.url.path}."
    return JSONResponse({"error": sentence}, 404)
