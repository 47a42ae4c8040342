"""What is loaded for whom: the file of tenants, checked against `meltano.yml`."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from hr_pipeline.project import Project, ProjectError

FOLDER = Path(__file__).parent.parent
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
Landing = Literal["postgres", "duckdb"]
DEFAULT_CONCURRENCY = 8


class PlanError(ValueError):
    """The file of tenants cannot be used. The message says what to do."""


class _Section(BaseModel):
    """A part of the file. Errors show no values, which may be secrets in the wrong place."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Secret(_Section):
    """Where a secret is: a file, a variable of Airflow's, or the password of one of its connections."""

    file: Path | None = None
    variable: str | None = None
    connection: str | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Secret:
        if sum(one is not None for one in (self.file, self.variable, self.connection)) != 1:
            raise ValueError("give one of file, variable and connection")
        return self


class TapPlan(_Section):
    """How a tenant's tap is run.

    Attributes:
        settings: Settings that are no secrets.
        secrets: Where the others are.
        select: Meltano's selection patterns, instead of those of `meltano.yml`.
        groups: Patterns of streams. Each group is a task; a stream belongs to the first group that names it.
        requests_per_minute: The limit of the credential, which its tasks share.
        tasks_at_once: How many tasks may use the credential at the same time.
    """

    settings: dict[str, Any] = {}
    secrets: dict[str, Secret] = {}
    select: list[str] | None = None
    groups: dict[Name, Annotated[list[str], Field(min_length=1)]] = {"all": ["*"]}
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tasks_at_once: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _shares_a_limit(self) -> TapPlan:
        if self.tasks_at_once > 1 and (self.requests_per_minute or 0) < self.tasks_at_once:
            raise ValueError("tasks_at_once needs requests_per_minute, the credential's limit, which the tasks share")
        return self

    def shared_settings(self) -> dict[str, Any]:
        """Returns the settings, with this task's share of the credential's limit and concurrency."""
        settings = dict(self.settings)
        if self.requests_per_minute:
            settings["requests_per_minute"] = self.requests_per_minute // self.tasks_at_once
        if self.tasks_at_once > 1:
            concurrency = settings.get("max_concurrency", DEFAULT_CONCURRENCY)
            settings["max_concurrency"] = max(1, int(concurrency) // self.tasks_at_once)
        return settings


class Tenant(_Section):
    """What is loaded for a tenant.

    Attributes:
        taps: The taps, by their names in `meltano.yml`.
        landing: `postgres`: schemas such as `acme_tap_personio`; `duckdb`: a file of the tenant's own, with the models.
        schedule: When, as Airflow writes it; by default the schedules of `meltano.yml`.
        full_refresh: When everything is read again, to find deletions.
    """

    taps: Annotated[dict[str, TapPlan], Field(min_length=1)]
    landing: Landing = "postgres"
    schedule: str | None = None
    full_refresh: str | None = "@weekly"


class Alert(_Section):
    """What is called when a task has failed for good: a webhook, or a function `module:name` with the message."""

    url: Secret | None = None
    function: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = None


class Plan(_Section):
    """The file of tenants.

    Attributes:
        tenants: The tenants, by name.
        project: The folder of `meltano.yml`.
        environment: The Meltano environment whose settings are used.
        programs: Where taps and loaders are that Meltano has not installed.
        database: Airflow's connection to the PostgreSQL database with the state, the locks and the tables.
        files: The folder of the DuckDB files.
        lock_wait: Seconds that a task waits for another one that loads the same.
        retries: How often a failed task is repeated.
        retry_seconds: Seconds before it is repeated.
        alert: What is called when a task has failed for good.
    """

    tenants: Annotated[dict[Name, Tenant], Field(min_length=1)]
    project: Path = FOLDER.parent
    environment: str | None = None
    programs: dict[str, Path] = {}
    database: str = "hrtaps"
    files: Path = FOLDER.parent / "output"
    lock_wait: Annotated[int, Field(ge=1)] = 600
    retries: Annotated[int, Field(ge=0)] = 3
    retry_seconds: Annotated[int, Field(ge=0)] = 300
    alert: Alert = Alert()

    @cached_property
    def meltano(self) -> Project:
        """The Meltano project."""
        return Project(self.project, self.environment, self.programs)

    def schedule(self, tenant: str) -> str | None:
        """Returns when a tenant's data is loaded.

        Raises:
            PlanError: If `meltano.yml` has several answers.
        """
        if self.tenants[tenant].schedule:
            return self.tenants[tenant].schedule
        found = {one for tap in self.tenants[tenant].taps for one in self.meltano.schedules(tap)}
        if len(found) > 1:
            raise PlanError(f"tenants.{tenant}: meltano.yml has several schedules for its taps. Set `schedule`.")
        return found.pop() if found else None

    def check(self) -> None:
        """Checks the taps and their settings.

        Raises:
            PlanError: If one is unknown, or a secret is among the settings.
        """
        for tenant, taps in ((name, one.taps) for name, one in self.tenants.items()):
            for tap, one in taps.items():
                place = f"tenants.{tenant}.taps.{tap}"
                try:
                    known = self.meltano.settings(tap)
                    self.meltano.config(tap)  # checks the environment
                except ProjectError as error:
                    raise PlanError(f"{place}: {error}") from None
                for name in (*one.settings, *one.secrets):
                    if name not in known:
                        raise PlanError(f"{place}: the tap has no setting {name}. Those it has are in meltano.yml.")
                for name in one.settings:
                    if known[name].get("sensitive"):
                        raise PlanError(f"{place}: {name} is a secret. Write under `secrets` where it is.")
                for name, secret in one.secrets.items():
                    if secret.file and f"{name}_file" not in known:
                        raise PlanError(f"{place}: {name} cannot be read from a file. Use a variable or a connection.")
            self.schedule(tenant)


def read_plan(path: Path | None = None) -> Plan:
    """Reads the file of tenants.

    Args:
        path: The file; by default that in `HRTAPS_TENANTS`, or `tenants.yml` in this folder.

    Raises:
        PlanError: If it cannot be used. The message has no values of the file.
    """
    path = path or Path(os.environ.get("HRTAPS_TENANTS", FOLDER / "tenants.yml"))
    try:
        plan = Plan.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        plan.check()
    except OSError:
        raise PlanError(f"{path} cannot be read. Copy tenants.example.yml, or set HRTAPS_TENANTS.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise PlanError(f"{path} is not YAML{f' in line {mark.line + 1}' if mark else ''}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise PlanError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    except (PlanError, ProjectError) as error:
        raise PlanError(f"{path}: {error}") from None
    return plan
