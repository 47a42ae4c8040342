"""What a credential may read: permissions, the modes of a list, and the attributes that it allows."""

from __future__ import annotations

from typing import Any

import pytest
from hr_sandbox.http.arguments import ControlError
from hr_sandbox.personio.endpoints import ENDPOINTS

TITLES = {401: "Unauthorized Request", 403: "Forbidden", 404: "Not found", 400: "Unauthorized token"}
DEFAULTS = {
    "/v2/persons": 401,
    "/v2/absence-types": 404,
    "/v2/absence-periods": 404,
    "/v2/compensations": 404,
    "/v2/org-units": 404,
}


@pytest.mark.parametrize("path", sorted(DEFAULTS))
def test_a_missing_permission_has_the_default_status_of_its_path(make_api: Any, path: str) -> None:
    api = make_api()
    permission = next(row.permission for row in ENDPOINTS if row.path == path)
    api.vendor.access.revoke(permission=permission, endpoint=None, status=None)
    status, body, _ = api.get(path, {"type": "team"} if path == "/v2/org-units" else {})
    assert status == DEFAULTS[path]
    assert body["errors"][0]["title"] == TITLES[status]
    api.vendor.access.grant(permission=permission, endpoint=None)
    assert api.get(path, {"type": "team"} if path == "/v2/org-units" else {})[0] == 200


@pytest.mark.parametrize("status", sorted(TITLES))
def test_a_missing_permission_can_have_another_status(make_api: Any, status: int) -> None:
    api = make_api()
    api.vendor.access.revoke(permission=None, endpoint="/v2/absence-types", status=status)
    answered, body, _ = api.get("/v2/absence-types")
    assert (answered, body["errors"][0]["title"]) == (status, TITLES[status])
    assert api.get("/v2/absence-periods")[0] == 200


def test_a_revoked_permission_is_not_a_scope(make_api: Any) -> None:
    api = make_api()
    api.vendor.access.revoke(permission="personio:persons:read", endpoint=None, status=None)
    form = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    _, body, _ = api.post("/v2/auth/token", form)
    assert "personio:persons:read" not in body["scope"]
    assert api.post("/v2/auth/token", {**form, "scope": "personio:persons:read"})[0] == 400


def test_a_hidden_attribute_is_omitted(make_api: Any) -> None:
    api = make_api()
    api.vendor.allow_attribute("persons.updated_at", allowed=False)
    api.vendor.allow_attribute("persons.custom_attributes.city", allowed=False)
    rows = api.read_all("/v2/persons")
    assert not any("updated_at" in row for row in rows)
    assert not any(part["id"] == "city" for row in rows for part in row["custom_attributes"])
    assert "updated_at" not in api.get(f"/v2/persons/{rows[0]['id']}")[1]
    assert "updated_at" in api.vendor.list_records("persons", api.company.today, api.company.today, "")[0]
    api.vendor.allow_attribute("persons.updated_at", allowed=True)
    assert "updated_at" in api.get("/v2/persons")[1]["_data"][0]


def test_invalid_access_controls_are_rejected(make_api: Any) -> None:
    vendor: Any = make_api().vendor
    wrong: Any
    for wrong in (
        lambda: vendor.access.revoke(permission="personio:all:read", endpoint=None, status=None),
        lambda: vendor.access.revoke(permission=None, endpoint="/v2/nothing", status=None),
        lambda: vendor.access.revoke(permission=None, endpoint=None, status=None),
        lambda: vendor.access.revoke(permission="personio:persons:read", endpoint=None, status=500),
        lambda: vendor.allow_attribute("persons.id", allowed=False),
        lambda: vendor.allow_attribute("persons.shoe_size", allowed=False),
        lambda: vendor.allow_attribute("things.id", allowed=False),
        lambda: vendor.set_links("/v2/persons", "odd"),
        lambda: vendor.set_links("/v2/nothing", "normal"),
        lambda: vendor.duplicate_record("things", None),
        lambda: vendor.duplicate_record("persons", "1"),
    ):
        with pytest.raises(ControlError):
            wrong()


@pytest.mark.parametrize("status", [402, 410, 412, 428])
def test_modules_that_are_not_licensed_have_their_own_status(make_api: Any, status: int) -> None:
    api = make_api()
    api.vendor.access.revoke(permission=None, endpoint="/v2/legal-entities", status=status)
    answered, body, _ = api.get("/v2/legal-entities")
    assert (answered, bool(body["errors"][0]["title"])) == (status, True)
    assert api.get("/v2/cost-centers")[0] == 200


def test_an_empty_list_can_be_without_content(make_api: Any) -> None:
    api = make_api()
    api.vendor.set_mode("/v2/persons", "no-content")
    status, body, _ = api.get("/v2/persons", {"updated_at.gt": "2100-01-01T00:00:00Z"})
    assert (status, body) == (204, None)
    assert api.get("/v2/persons")[0] == 200
    api.vendor.set_mode("/v2/persons", "normal")
    assert api.get("/v2/persons", {"updated_at.gt": "2100-01-01T00:00:00Z"})[1]["_data"] == []


@pytest.mark.parametrize(
    ("mode", "status", "said"),
    [
        ("no-element", 400, "no element matching"),
        ("not-found", 400, "not found"),
        ("gone", 404, "id"),
        ("forbidden", 403, "no access"),
    ],
)
def test_a_listed_report_that_cannot_be_read(make_api: Any, mode: str, status: int, said: str) -> None:
    api = make_api()
    first, second, *_ = (row["id"] for row in api.read_all("/v2/reports"))
    api.vendor.set_mode("/v2/reports/{id}", mode, first)
    answered, body, _ = api.get(f"/v2/reports/{first}")
    assert answered == status
    assert said in str(body)
    assert api.get(f"/v2/reports/{second}")[0] == 200
    assert api.vendor.describe_permissions()["modes"] == [{"path": "/v2/reports/{id}", "mode": mode, "id": first}]


@pytest.mark.parametrize(
    ("path", "mode", "key", "sentence"),
    [
        ("/v2/nothing", "utc", None, "no modes of /v2/nothing"),
        ("/v2/persons", "utc", None, "no mode utc"),
        ("/v2/persons", "no-content", "1", "applies to all"),
    ],
)
def test_invalid_modes_are_rejected(make_api: Any, path: str, mode: str, key: str | None, sentence: str) -> None:
    with pytest.raises(ControlError, match=sentence):
        make_api(employees=12).vendor.set_mode(path, mode, key)
