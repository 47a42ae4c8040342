"""Which modules are booked, and what the credential may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.factorial.errors import FORMS, forbidden
from hr_sandbox.factorial.tables import newest, resources
from hr_sandbox.http.access import AccessControl
from hr_sandbox.http.arguments import ControlError, check_choice

if TYPE_CHECKING:
    from hr_sandbox.factorial.auth import Bearer
    from hr_sandbox.factorial.tables import Resource
    from hr_sandbox.http.messages import Json, Response

PREFIX = "/api/{version}/resources/"


def path_of(resource: str) -> str:
    """Return the declared path of a resource."""
    return f"{PREFIX}{resource}"


def resource_of(path: str) -> Resource:
    """Return the resource with this path or name."""
    name = path.removeprefix(PREFIX)
    if name not in resources():
        raise ControlError(f"There is no endpoint {path}.")
    return resources()[name]


def stream_of(name: str) -> Resource:
    """Return the resource of a stream."""
    found = next((row for row in newest().values() if row.stream == name), None)
    if found is None:
        raise ControlError(f"There is no stream {name}.")
    return found


class Access(AccessControl):
    """The modules that the company has booked. Permissions are modules, endpoints are resources."""

    statuses = (401, 402, 403, 404, 410, 428)
    default_label = "the default of the module"

    def __init__(self) -> None:
        super().__init__(sorted({row.module for row in resources().values()}), resources())
        self.forms: dict[str, str] = {}
        self.hidden: dict[str, set[str]] = {}

    def refusal(self, resource: Resource, bearer: Bearer) -> Response | None:
        """Return the response if a module is not booked or the token lacks the scope, else None."""
        for target in (resource.name, resource.module):
            if target in self.denied:
                return forbidden(resource.module, self.forms.get(resource.module), self.denied[target])
        if bearer.scopes is not None and resource.scope is not None and resource.scope not in bearer.scopes:
            return forbidden(resource.module, self.forms.get(resource.module), None)
        return None

    def endpoint_name(self, endpoint: str) -> str:
        """Return the name of a resource that is given by its path or its name."""
        return resource_of(endpoint).name

    def set_form(self, module: str, form: str) -> Json:
        """Set how a module responds if it is not booked."""
        check_choice("module", module, self.permissions)
        self.forms[module] = check_choice("form", form, FORMS)
        return {"module": module, "form": form}

    def allow(self, attribute: str, *, allowed: bool) -> Json:
        """Show an attribute, or set it to null."""
        stream, _, name = attribute.partition(".")
        resource = stream_of(stream)
        if name not in resource.fields or name == resource.key:
            raise ControlError(f"There is no attribute {attribute}.")
        hidden = self.hidden.setdefault(resource.name, set())
        (hidden.discard if allowed else hidden.add)(name)
        return {"attribute": attribute, "allowed": allowed}
