"""The command that builds the HR models in a tenant's DuckDB file."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from hr_pipeline.pipeline import ENDS_WITH_THIS_PROCESS
from hr_pipeline.project import environment_of

if TYPE_CHECKING:
    from hr_pipeline.plan import Plan


def models_command(plan: Plan, tenant: str) -> tuple[str, dict[str, str]]:
    """Returns the command, and its environment."""
    folder = plan.meltano.folder
    dbt = folder / ".meltano" / "transformers" / "dbt-duckdb" / "venv" / "bin"
    work = plan.files / "dbt" / tenant
    environment = environment_of("dbt", {}, os.environ) | {
        "PATH": f"{dbt}:{os.environ['PATH']}",
        "HR_DATABASE": str(plan.files / f"{tenant}.duckdb"),
        "DBT_PROJECT_DIR": str(folder / "models"),
        "DBT_PROFILES_DIR": str(folder / "models"),
        "DBT_TARGET": "prod",
        "DBT_TARGET_PATH": str(work / "target"),
        "DBT_LOG_PATH": str(work / "logs"),
    }
    return shlex.join([*ENDS_WITH_THIS_PROCESS, str(dbt / "python"), str(folder / "models" / "build.py")]), environment
