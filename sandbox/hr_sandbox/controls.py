"""The control API under `/_control`, which changes the company and the behaviour of the vendors."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from hr_sandbox.company.changes import ChangeError, Changes
from hr_sandbox.http.arguments import (
    ControlError,
    check_empty,
    take,
    take_choice,
    take_date,
    take_flag,
    take_optional_text,
    take_text,
)
from hr_sandbox.http.faults import Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import date

    from starlette.requests import Request

    from hr_sandbox.company import Company
    from hr_sandbox.company.changes import Change
    from hr_sandbox.http.messages import Json
    from hr_sandbox.http.traffic import Log
    from hr_sandbox.vendor import Vendor


class Controls:
    """Handles control requests."""

    def __init__(
        self, company: Company, vendors: Mapping[str, Vendor], faults: Faults, log: Log, sites: Sequence[str]
    ) -> None:
        """Control these vendors. Faults apply to all sites."""
        self._company = company
        self._vendors = vendors
        self._sites = sites
        self._faults = faults
        self._log = log
        self._changes = Changes(company)

    def routes(self) -> list[Route]:
        """Return the routes below `/_control`."""
        posts: dict[str, Callable[[Json], Json]] = {
            "hire": self.hire,
            "terminate": self.terminate,
            "edit": self.edit,
            "delete": self.delete,
            "revoke": self.revoke,
            "grant": self.grant,
            "expire-tokens": self.expire_tokens,
            "allow-list": self.allow_list,
            "links": self.links,
            "mode": self.mode,
            "fault": self.fault,
            "duplicate": self.duplicate,
        }
        gets: dict[str, Callable[[Json], Json]] = {
            "counts": self.counts,
            "requests": self.requests,
            "permissions": self.permissions,
        }
        deletes: dict[str, Callable[[Json], Json]] = {
            "requests": self.clear_requests,
            "fault": self.clear_faults,
        }
        return [
            Route("/records", _handler(self.records), methods=["GET"]),
            *(
                Route(f"/{name}", _handler(_without_root(control)), methods=[method])
                for method, table in (("POST", posts), ("GET", gets), ("DELETE", deletes))
                for name, control in table.items()
            ),
            *(
                Route(f"/{vendor.name}/{name}", _handler(_without_root(control)), methods=["POST"])
                for vendor in self._vendors.values()
                for name, control in vendor.controls().items()
            ),
        ]

    def hire(self, body: Json) -> Json:
        """Hire a person. Takes a `start_date` and any fields of the person."""
        start = take_date(body, "start_date")
        return _changed(self._changes.hire(start, **body))

    def terminate(self, body: Json) -> Json:
        """End a person's employment."""
        person_id, day = take_optional_text(body, "person_id"), take_date(body, "date")
        check_empty(body)
        return _changed(self._changes.terminate(person_id, day))

    def edit(self, body: Json) -> Json:
        """Change one field of a record."""
        kind, key, field = (take_text(body, name) for name in ("kind", "id", "field"))
        value = take(body, "value")
        check_empty(body)
        return _changed(self._changes.edit(kind, key, field, value))

    def delete(self, body: Json) -> Json:
        """Delete a record."""
        kind, key = (take_text(body, name) for name in ("kind", "id"))
        check_empty(body)
        return _changed(self._changes.delete(kind, key))

    def revoke(self, body: Json) -> Json:
        """Revoke a permission or an endpoint of a vendor."""
        vendor = self._vendor(body)
        permission, endpoint = take_optional_text(body, "permission"), take_optional_text(body, "endpoint")
        status = take(body, "status", None)
        check_empty(body)
        return vendor.revoke(permission=permission, endpoint=endpoint, status=status)

    def grant(self, body: Json) -> Json:
        """Grant a permission or an endpoint of a vendor again."""
        vendor = self._vendor(body)
        permission, endpoint = take_optional_text(body, "permission"), take_optional_text(body, "endpoint")
        check_empty(body)
        return vendor.grant(permission=permission, endpoint=endpoint)

    def expire_tokens(self, body: Json) -> Json:
        """Expire all tokens of one vendor or of all vendors."""
        chosen = [self._vendor(body)] if "vendor" in body else list(self._vendors.values())
        check_empty(body)
        return {vendor.name: vendor.expire_tokens() for vendor in chosen}

    def allow_list(self, body: Json) -> Json:
        """Show or hide an attribute of a vendor's records."""
        vendor = self._vendor(body)
        attribute, allowed = take_text(body, "attribute"), take_flag(body, "allowed")
        check_empty(body)
        return vendor.allow(attribute, allowed=allowed)

    def links(self, body: Json) -> Json:
        """Set how the pagination links of a vendor's endpoint look."""
        vendor = self._vendor(body)
        path, style = (take_text(body, name) for name in ("path", "style"))
        check_empty(body)
        return vendor.set_links(path, style)

    def mode(self, body: Json) -> Json:
        """Set how a vendor's endpoint responds."""
        vendor = self._vendor(body)
        path, mode, key = take_text(body, "path"), take_text(body, "mode"), take_optional_text(body, "id")
        check_empty(body)
        return vendor.set_mode(path, mode, key)

    def fault(self, body: Json) -> Json:
        """Make requests fail."""
        fault = Fault.from_json(body)
        prefixes = tuple(f"/{name}/" for name in self._sites)
        if not fault.path.startswith(prefixes):
            raise ControlError(f"A fault's path begins with {' or '.join(prefixes)}.")
        return {"fault": self._faults.add(fault)}

    def clear_faults(self, _query: Json) -> Json:
        """Remove all pending faults."""
        return {"cleared": self._faults.clear()}

    def duplicate(self, body: Json) -> Json:
        """Serve a record of a vendor's stream on two pages."""
        vendor = self._vendor(body)
        stream, key = take_text(body, "stream"), take_optional_text(body, "id")
        check_empty(body)
        return vendor.duplicate(stream, key)

    def counts(self, query: Json) -> Json:
        """Return how many rows a full read of each stream yields."""
        first, last = self._window(query)
        vendors = [self._vendor(query)] if "vendor" in query else self._vendors.values()
        check_empty(query)
        return {
            vendor.name: {stream: vendor.count(stream, first, last) for stream in vendor.streams} for vendor in vendors
        }

    def records(self, query: Json, root: str) -> Json:
        """Return the rows of one stream, with all permissions. Links in them point to this root."""
        first, last = self._window(query)
        vendor = self._vendor(query)
        stream = take_choice(query, "stream", vendor.streams)
        check_empty(query)
        return {"records": vendor.records(stream, first, last, f"{root}/{vendor.name}")}

    def requests(self, _query: Json) -> Json:
        """Return the log of requests."""
        return {"requests": list(self._log.entries)}

    def clear_requests(self, _query: Json) -> Json:
        """Clear the log of requests."""
        count = len(self._log.entries)
        self._log.entries.clear()
        return {"cleared": count}

    def permissions(self, _query: Json) -> Json:
        """Return the permissions and settings of all vendors."""
        return {name: vendor.permissions() for name, vendor in self._vendors.items()}

    @staticmethod
    def _window(query: Json) -> tuple[date | None, date | None]:
        """Read the window of dates from the query."""
        return take_date(query, "start_date"), take_date(query, "end_date")

    def _vendor(self, body: Json) -> Vendor:
        return self._vendors[take_choice(body, "vendor", self._vendors)]


def _changed(changes: list[Change]) -> Json:
    return {"changed": [asdict(change) for change in changes]}


def _without_root(control: Callable[[Json], Json]) -> Callable[[Json, str], Json]:
    return lambda given, _root: control(given)


def _handler(control: Callable[[Json, str], Json]) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def handle(request: Request) -> JSONResponse:
        raw = await request.body()
        try:
            given = dict(request.query_params) if request.method != "POST" else json.loads(raw or b"{}")
            if not isinstance(given, dict):
                raise ControlError("The body must be a JSON object.")  # noqa: TRY301  handled below with the others
            root = str(request.base_url).rstrip("/").removesuffix("/_control")
            return JSONResponse(control(given, root))
        except json.JSONDecodeError:
            return JSONResponse({"error": "The body is not valid JSON."}, 400)
        except (ControlError, ChangeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return handle
