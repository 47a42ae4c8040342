"""What the company has booked and the credential may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.factorial.errors import FORMS, forbidden
from hr_sandbox.factorial.tables import newest, resources
from hr_sandbox.vendor import ControlError

if TYPE_CHECKING:
    from hr_sandbox.factorial.auth import Bearer
    from hr_sandbox.factorial.tables import Resource
    from hr_sandbox.http.messages import Response
    from hr_sandbox.vendor import Json

STATUSES = (401, 402, 403, 404, 410, 428)
PREFIX = "/api/{version}/resources/"


def path_of(resource: str) -> str:
    """The declared path of a list."""
    return f"{PREFIX}{resource}"


def resource_of(path: str) -> Resource:
    """The list that a control names, by its path or shortly."""
    name = path.removeprefix(PREFIX)
    if name not in resources():
        raise ControlError(f"There is no list {path}.")
    return resources()[name]


def stream_of(name: str) -> Resource:
    """The list that a control names by its stream."""
    found = next((row for row in newest().values() if row.stream == name), None)
    if found is None:
        raise ControlError(f"There is no stream {name}.")
    return found


class Access:
    """Everything is booked at first."""

    def __init__(self) -> None:
        """Book everything."""
        self.modules = tuple(sorted({row.module for row in resources().values()}))
        self.denied: dict[str, int | None] = {}
        self.forms: dict[str, str] = {}
        self.hidden: dict[str, set[str]] = {}

    def refusal(self, resource: Resource, bearer: Bearer) -> Response | None:
        """The answer where something is not booked, or the token's scopes lack it."""
        for target in (resource.name, resource.module):
            if target in self.denied:
                return forbidden(resource.module, self.forms.get(resource.module), self.denied[target])
        if bearer.scopes is not None and resource.scope is not None and resource.scope not in bearer.scopes:
            return forbidden(resource.module, self.forms.get(resource.module), None)
        return None

    def revoke(self, permission: str | None, endpoint: str | None, status: int | None) -> Json:
        """Take a module or a list away."""
        target = self._target(permission, endpoint)
        if status is not None and status not in STATUSES:
            raise ControlError(f"The status of a missing permission is one of {', '.join(map(str, STATUSES))}.")
        self.denied[target] = status
        return {"revoked": target, "status": status or "as the module answers"}

    def grant(self, permission: str | None, endpoint: str | None) -> Json:
        """Give a module or a list back."""
        target = self._target(permission, endpoint)
        return {"granted": target, "changed": self.denied.pop(target, 0) != 0}

    def set_form(self, module: str, form: str) -> Json:
        """Choose how a module answers where it is not booked."""
        if module not in self.modules:
            raise ControlError(f"There is no module {module}; there are {', '.join(self.modules)}.")
        if form not in FORMS:
            raise ControlError(f"There is no form {form}; there are {', '.join(FORMS)}.")
        self.forms[module] = form
        return {"module": module, "form": form}

    def allow(self, attribute: str, *, allowed: bool) -> Json:
        """Show an attribute, or let it be null."""
        stream, _, name = attribute.partition(".")
        resource = stream_of(stream)
        if name not in resource.fields or name == resource.key:
            raise ControlError(f"There is no attribute {attribute}.")
        hidden = self.hidden.setdefault(resource.name, set())
        (hidden.discard if allowed else hidden.add)(name)
        return {"attribute": attribute, "allowed": allowed}

    def _target(self, permission: str | None, endpoint: str | None) -> str:
        if permission is not None and endpoint is None:
            if permission not in self.modules:
                raise ControlError(f"There is no permission {permission}; there are {', '.join(self.modules)}.")
            return permission
        if endpoint is not None and permission is None:
            return resource_of(endpoint).name
        raise ControlError("Name either a permission or an endpoint.")
