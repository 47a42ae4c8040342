"""The DAGs of all tenants: their loads, full refreshes and back-fills. They hold names only, no settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, get_current_context, task
from hr_pipeline.models import models_command
from hr_pipeline.operators import LoadOperator, alert
from hr_pipeline.plan import Plan, Tenant, read_plan
from hr_pipeline.pools import pool_of

if TYPE_CHECKING:
    from collections.abc import Iterable

START = datetime(2024, 1, 1, tzinfo=UTC)


def options(plan: Plan) -> dict[str, Any]:
    """Returns what all DAGs have in common."""
    return {
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["hr"],
        "default_args": {
            "retries": plan.retries,
            "retry_delay": timedelta(seconds=plan.retry_seconds),
            "on_failure_callback": alert,
        },
    }


def add_load(plan: Plan, name: str, tenant: Tenant, *, is_full: bool) -> None:
    """Creates the DAG that loads a tenant's data: a task for each group of each tap."""
    with DAG(
        f"hr_{name}_full" if is_full else f"hr_{name}",
        description=f"{'Read everything again, to find deletions,' if is_full else 'Load changes'} of {name}",
        schedule=tenant.full_refresh if is_full else plan.schedule(name),
        params={"full_refresh": Param(is_full, type="boolean", description="Read everything again")},
        **options(plan),
    ):
        loads = [
            LoadOperator(task_id=f"{tap}.{group}", tenant=name, tap=tap, group=group, pool=pool_of(name, tap))
            for tap, one in tenant.taps.items()
            for group in one.groups
        ]
        if tenant.landing == "duckdb":
            command, environment = models_command(plan, name)
            loads >> BashOperator(
                task_id="models", bash_command=command, env=environment, append_env=False, do_xcom_push=False
            )


@task
def list_parts() -> list[str]:
    """Returns the parts of a back-fill, such as `1/2` and `2/2`."""
    count = get_current_context()["params"]["parts"]
    return [f"{number}/{count}" for number in range(1, count + 1)]


def add_backfill(plan: Plan, name: str, tap: str, groups: Iterable[str]) -> None:
    """Creates the DAG that reads everything of a tap in parts: the tables, the parts, then one state of theirs."""
    with DAG(
        f"hr_{name}_backfill_{tap}",
        description=f"Read everything of {name} in parts, several at the same time",
        schedule=None,
        params={"parts": Param(4, type="integer", minimum=2, maximum=100, description="Number of parts")},
        **options(plan),
    ):
        parts = list_parts()
        for group in groups:
            chosen = {"tenant": name, "tap": tap, "group": group, "pool": pool_of(name, tap)}
            tables = LoadOperator(task_id=f"{group}.tables", step="create_tables", **chosen)
            loads = LoadOperator.partial(task_id=f"{group}.part", **chosen).expand(part=parts)
            tables >> loads >> LoadOperator(task_id=f"{group}.merge", step="merge", **chosen)


PLAN = read_plan()
for tenant_name, tenant_plan in PLAN.tenants.items():
    add_load(PLAN, tenant_name, tenant_plan, is_full=False)
    add_load(PLAN, tenant_name, tenant_plan, is_full=True)
    for tap_name, tap_plan in tenant_plan.taps.items():
        add_backfill(PLAN, tenant_name, tap_name, tap_plan.groups)
