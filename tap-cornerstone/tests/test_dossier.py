"""A run under an agreement loads no column that the portal has added since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from singer_rest import RunError
from singer_rest.singer.command import DossierOptions
from tap_cornerstone.tap import TapCornerstone

if TYPE_CHECKING:
    from pathlib import Path

    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.slow

CREDENTIALS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
METADATA = "/services/api/x/dataexporter/api/objects/$metadata"
NAMES: dict[str, Any] = {"objects": ["users_cf_core"], "views": [], "metadata_cache_hours": 0}


def write_dossier(url: str, path: Path, **config: Any) -> dict[str, list[str]]:
    """Writes a dossier. Returns the columns of the views and objects in it."""
    tap = TapCornerstone(config={"api_url": url, **NAMES, **config}, validate_config=False, setup_mapper=False)
    tap.make_dossier(DossierOptions([path]))
    tables = {table["name"]: table["properties"] for table in yaml.safe_load(path.read_text())["schema"]}
    return {name: [part["name"] for part in parts] for name, parts in tables.items() if name.endswith("_core")}


def requested_paths(sandbox: Sandbox) -> set[str]:
    paths = {request["path"].removeprefix("/cornerstone") for request in sandbox.requests()}
    return {path for path in paths if "oauth2" not in path}


def test_portals_own_columns_are_listed_only_with_credentials(sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    own = write_dossier(url, tmp_path / "own.yaml", **CREDENTIALS)
    assert len(own["users_cf_core"]) > 3
    assert requested_paths(sandbox) == {METADATA}
    shipped = write_dossier(url, tmp_path / "shipped.yaml")
    assert shipped["users_cf_core"] == ["user_id", "_last_touched_dt_utc", "_extra"]


def test_new_column_of_the_portal_is_not_loaded(run: Any, sandbox: Sandbox, url: str, tmp_path: Path) -> None:
    path = tmp_path / "agreed.yaml"
    write_dossier(url, path, **CREDENTIALS)
    agreed = {**NAMES, "privacy_agreement": str(path)}
    assert run(url, "users_cf_core", **agreed).records("users_cf_core")
    sandbox.control("cornerstone/custom-field", kind="user", label="Shoe size")
    sandbox.clear_requests()
    with pytest.raises(RunError, match=r"says: users_cf_core\.\w+: unclassified, keep \(not agreed\)\. Leave this out"):
        run(url, "users_cf_core", **agreed)
    assert requested_paths(sandbox) == {METADATA}
    assert run(url, "users_cf_core", **agreed, privacy="no-pay").records("users_cf_core")


def test_agreement_without_the_portals_columns_refuses_them(run: Any, url: str, tmp_path: Path) -> None:
    path = tmp_path / "agreed.yaml"
    write_dossier(url, path)
    with pytest.raises(RunError, match=r"users_cf_core\.\w+: unclassified, keep \(not agreed\); "):
        run(url, "users_cf_core", **NAMES, privacy_agreement=str(path))
