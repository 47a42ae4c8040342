"""The control API under `/_control`, which changes the company and the behaviour of the vendors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from hr_sandbox.company.changes import Changes
from hr_sandbox.company.fields import ChangeError
from hr_sandbox.http.arguments import (
    ControlError,
    check_choice,
    check_empty,
    control,
    find_controls,
    take,
    take_any,
    take_date,
    take_flag,
    take_optional_text,
    take_text,
    with_default,
)
from hr_sandbox.http.faults import Fault, Faults
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.pushes.controls import PushControls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import date

    from starlette.requests import Request

    from hr_sandbox.company import Company
    from hr_sandbox.company.changes import Change
    from hr_sandbox.http.messages import Json
    from hr_sandbox.http.traffic import Log
    from hr_sandbox.pushes.sender import Sender
    from hr_sandbox.vendor import Vendor


class Controls:
    """Handles control requests."""

    def __init__(
        self,
        company: Company,
        vendors: Mapping[str, Vendor],
        faults: Faults,
        log: Log,
        sites: Sequence[str],
        *,
        sender: Sender,
    ) -> None:
        self._company = company
        self._vendors = vendors
        self._sites = sites
        self._faults = faults
        self._log = log
        self._changes = Changes(company)
        self._changes.listeners += [vendor.announce for vendor in vendors.values()]
        self._pushes = PushControls(sender, self._changes)

    def make_routes(self) -> list[Route]:
        """Returns the routes below `/_control`."""
        controls = {
            (method, f"/{path}"): control
            for (method, path), control in {**find_controls(self), **find_controls(self._pushes)}.items()
        }
        for name, vendor in self._vendors.items():
            controls |= {("POST", f"/{name}/{path}"): control for path, control in vendor.find_own_controls().items()}
        return [
            Route("/records", _make_handler(self.records), methods=["GET"]),
            *(
                Route(path, _make_handler(_without_root(control)), methods=[method])
                for (method, path), control in controls.items()
            ),
        ]

    @control("hire", open_ended=True, start_date=take_date)
    def hire(self, fields: Json, start_date: date | None) -> Json:
        """Hires a person, with any fields of the person."""
        return _report_changes(self._changes.hire(start_date, **fields))

    @control("create", open_ended=True, kind=take_text, person_id=take_text)
    def create(self, fields: Json, kind: str, person_id: str) -> Json:
        """Adds an absence, working time or a document of a person."""
        return _report_changes(self._changes.create(kind, person_id, **fields))

    @control("terminate", person_id=take_optional_text, date=take_date)
    def terminate(self, person_id: str | None, date: date | None) -> Json:
        """Ends a person's employment."""
        return _report_changes(self._changes.terminate(person_id, date))

    @control("edit", kind=take_text, id=take_text, field=take_text, value=take)
    def edit(self, kind: str, key: str, field: str, value: Any) -> Json:  # noqa: ANN401  what JSON holds
        """Changes one field of a record."""
        return _report_changes(self._changes.edit(kind, key, field, value))

    @control("delete", kind=take_text, id=take_text)
    def delete(self, kind: str, key: str) -> Json:
        """Deletes a record."""
        return _report_changes(self._changes.delete(kind, key))

    @control("revoke", vendor=take_text, permission=take_optional_text, endpoint=take_optional_text, status=take_any)
    def revoke(self, vendor: str, permission: str | None, endpoint: str | None, status: int | None) -> Json:
        """Revokes a permission or an endpoint of a vendor."""
        return self._find_vendor(vendor).access.revoke(permission, endpoint, status)

    @control("grant", vendor=take_text, permission=take_optional_text, endpoint=take_optional_text)
    def grant(self, vendor: str, permission: str | None, endpoint: str | None) -> Json:
        """Grants a permission or an endpoint of a vendor again."""
        return self._find_vendor(vendor).access.grant(permission, endpoint)

    @control("expire-tokens", vendor=with_default(take_text))
    def expire_tokens(self, vendor: str | None) -> Json:
        """Expires all tokens of one vendor or of all vendors."""
        return {row.name: {"expired": row.tokens.expire()} for row in self._choose_vendors(vendor)}

    @control("allow-list", vendor=take_text, attribute=take_text, allowed=take_flag)
    def allow(self, vendor: str, attribute: str, *, allowed: bool) -> Json:
        """Shows or hides an attribute of a vendor's records."""
        return self._find_vendor(vendor).allow_attribute(attribute, allowed=allowed)

    @control("links", vendor=take_text, path=take_text, style=take_text)
    def set_links(self, vendor: str, path: str, style: str) -> Json:
        """Sets how the pagination links of a vendor's endpoint look."""
        return self._find_vendor(vendor).set_links(path, style)

    @control("mode", vendor=take_text, path=take_text, mode=take_text, id=take_optional_text)
    def set_mode(self, vendor: str, path: str, mode: str, key: str | None) -> Json:
        """Sets how a vendor's endpoint responds."""
        return self._find_vendor(vendor).set_mode(path, mode, key)

    @control("fault", open_ended=True)
    def add_fault(self, members: Json) -> Json:
        """Makes requests fail."""
        fault = Fault.from_json(members)
        prefixes = tuple(f"/{name}/" for name in self._sites)
        if not fault.path.startswith(prefixes):
            raise ControlError(f"A fault's path begins with {' or '.join(prefixes)}.")
        return {"fault": self._faults.add_fault(fault)}

    @control("fault", "DELETE", open_ended=True)
    def clear_faults(self, _query: Json) -> Json:
        """Removes all pending faults."""
        return {"cleared": self._faults.clear_faults()}

    @control("duplicate", vendor=take_text, stream=take_text, id=take_optional_text)
    def duplicate(self, vendor: str, stream: str, key: str | None) -> Json:
        """Serves a record of a vendor's stream on two pages."""
        return self._find_vendor(vendor).duplicate_record(stream, key)

    @control("counts", "GET", start_date=take_date, end_date=take_date, vendor=with_default(take_text))
    def count(self, start_date: date | None, end_date: date | None, vendor: str | None) -> Json:
        """Returns how many rows a full read of each stream yields."""
        return {
            row.name: {stream: row.count_rows(stream, start_date, end_date) for stream in row.streams}
            for row in self._choose_vendors(vendor)
        }

    def records(self, query: Json, root: str) -> Json:
        """Returns the rows of one stream, with all permissions. Links in them point to this root."""
        first, last = take_date(query, "start_date"), take_date(query, "end_date")
        vendor = self._find_vendor(take_text(query, "vendor"))
        stream = check_choice("stream", take_text(query, "stream"), vendor.streams)
        check_empty(query)
        return {"records": vendor.list_records(stream, first, last, f"{root}/{vendor.name}")}

    @control("requests", "GET", open_ended=True)
    def requests(self, _query: Json) -> Json:
        """Returns the log of requests."""
        return {"requests": list(self._log.entries)}

    @control("requests", "DELETE", open_ended=True)
    def clear_requests(self, _query: Json) -> Json:
        """Clears the log of requests."""
        count = len(self._log.entries)
        self._log.entries.clear()
        return {"cleared": count}

    @control("permissions", "GET", open_ended=True)
    def permissions(self, _query: Json) -> Json:
        """Returns the permissions and settings of all vendors."""
        return {name: vendor.describe_permissions() for name, vendor in self._vendors.items()}

    def _choose_vendors(self, vendor: str | None) -> list[Vendor]:
        """Returns one vendor, or all of them."""
        return list(self._vendors.values()) if vendor is None else [self._find_vendor(vendor)]

    def _find_vendor(self, name: str) -> Vendor:
        return self._vendors[check_choice("vendor", name, self._vendors)]


def _report_changes(changes: list[Change]) -> Json:
    return {"changed": [pick_fields(change, "action", "kind", "id", "number") for change in changes]}


def _without_root(control: Callable[[Json], Json]) -> Callable[[Json, str], Json]:
    return lambda given, _root: control(given)


def _make_handler(control: Callable[[Json, str], Json]) -> Callable[[Request], Awaitable[JSONResponse]]:
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
