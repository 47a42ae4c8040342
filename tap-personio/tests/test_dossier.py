"""A run under an agreement loads no attribute that the company has defined and nobody agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from singer_rest import RunError
from singer_rest.singer.command import DossierOptions
from tap_personio.tap import TapPersonio

if TYPE_CHECKING:
    from pathlib import Path

    from hr_sandbox.testing import Sandbox

pytestmark = pytest.mark.slow

CREDENTIALS = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
ATTRIBUTES = "/personio/v1/company/employees/attributes"


def write_dossier(sandbox: Sandbox, path: Path, **config: Any) -> set[str]:
    """Writes a dossier. Returns the columns of employees in it."""
    config = {"api_url": f"{sandbox.url}/personio", **config}
    tap = TapPersonio(config=config, validate_config=False, setup_mapper=False)
    tap.make_dossier(DossierOptions([path]))
    (table,) = [table for table in yaml.safe_load(path.read_text())["schema"] if table["name"] == "employees"]
    return {part["name"] for part in table["properties"]}


def requested_paths(sandbox: Sandbox) -> set[str]:
    return {request["path"] for request in sandbox.requests() if "auth" not in request["path"]}


def test_own_attributes_must_be_agreed(run: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    shipped, own = (
        write_dossier(sandbox, tmp_path / f"{name}.yaml", **config)
        for name, config in {"shipped": {}, "own": CREDENTIALS}.items()
    )
    assert requested_paths(sandbox) == {ATTRIBUTES}
    assert own > shipped
    url = f"{sandbox.url}/personio"
    assert run(url, "employees", discover=True, privacy_agreement=str(tmp_path / "own.yaml")).records("employees")
    sandbox.clear_requests()
    with pytest.raises(RunError) as error:
        run(url, "employees", discover=True, privacy_agreement=str(tmp_path / "shipped.yaml"))
    assert requested_paths(sandbox) == {ATTRIBUTES}
    assert all(f"employees.{name}: " in str(error.value) for name in own - shipped)
