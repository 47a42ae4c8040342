"""The same loads as assets of Dagster: one for each group of a tenant's tap, and the HR models of its DuckDB file.

The database is that of the variables PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE; a secret's `variable` is one of
the environment, too.
"""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import dagster as dg
from hr_pipeline.alerts import send_alert
from hr_pipeline.load import Load
from hr_pipeline.models import models_command
from hr_pipeline.plan import Plan, Secret, Tenant, read_plan
from hr_pipeline.pools import pool_of
from hr_pipeline.store import Database

FULL_REFRESH = "hr/full_refresh"
"""The tag of runs that read everything again."""


def find_secret(secret: Secret) -> str:
    """Returns a secret."""
    if secret.file:
        return secret.file.read_text(encoding="utf-8").strip()
    if not secret.variable:
        raise ValueError("Dagster has no connections. Use a file or an environment variable for each secret.")
    return os.environ[secret.variable]


def find_database() -> Database:
    """Returns the database."""
    names = {name: os.environ.get(f"PG{name.upper()}", "") for name in ("host", "port", "user", "password", "database")}
    return Database(names["host"], int(names["port"] or 5432), names["user"], names["password"], names["database"])


def make_load(plan: Plan, tenant: str, tap: str, group: str) -> dg.AssetsDefinition:
    """Returns the asset of a group."""

    @dg.asset(
        key=[tenant, tap.replace("-", "_"), group],
        group_name=tenant,
        pool=pool_of(tenant, tap).replace(".", "_").replace("-", "_"),
        retry_policy=dg.RetryPolicy(max_retries=plan.retries, delay=plan.retry_seconds),
    )
    def load(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        is_full = FULL_REFRESH in context.run.tags
        run = context.run.root_run_id or context.run_id  # a repeated run goes on
        chosen = Load(read_plan(), find_database(), find_secret, tenant, tap, group, run, is_full=is_full)
        return dg.MaterializeResult(metadata=chosen.load())

    return load


def make_models(plan: Plan, tenant: str, loads: list[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    """Returns the asset of a tenant's HR models."""

    @dg.asset(key=[tenant, "models"], group_name=tenant, deps=loads)
    def models() -> None:
        command, environment = models_command(plan, tenant)
        subprocess.run(["/bin/sh", "-c", command], env=environment, check=True)  # noqa: S603  a command of our own

    return models


def make_definitions(plan: Plan, name: str, tenant: Tenant) -> Iterator[dg.AssetsDefinition | dg.ScheduleDefinition]:
    """Yields a tenant's assets and schedules."""
    loads = [make_load(plan, name, tap, group) for tap, one in tenant.taps.items() for group in one.groups]
    yield from loads
    if tenant.landing == "duckdb":
        yield make_models(plan, name, loads)
    for suffix, schedule, tags in (
        ("", plan.schedule(name), {}),
        ("_full", tenant.full_refresh, {FULL_REFRESH: "true"}),
    ):
        if schedule:
            job = dg.define_asset_job(f"hr_{name}{suffix}", selection=dg.AssetSelection.groups(name), tags=tags)
            yield dg.ScheduleDefinition(job=job, cron_schedule=schedule)


@dg.run_failure_sensor
def alert(context: dg.RunFailureSensorContext) -> None:
    """Tells of a run that has failed."""
    run = context.dagster_run
    message = {"text": f"{run.job_name} failed", "job": run.job_name, "run": run.run_id}
    send_alert(read_plan().alert, message, find_secret)


PLAN = read_plan()
FOUND = [one for name, tenant in PLAN.tenants.items() for one in make_definitions(PLAN, name, tenant)]
definitions = dg.Definitions(
    assets=[one for one in FOUND if isinstance(one, dg.AssetsDefinition)],
    schedules=[one for one in FOUND if isinstance(one, dg.ScheduleDefinition)],
    sensors=[alert],
)
