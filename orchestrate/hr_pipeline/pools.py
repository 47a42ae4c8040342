"""Prints the pools for `airflow pools import`: one for each tenant's credential of a vendor."""

from __future__ import annotations

import json
import sys

from hr_pipeline.plan import Plan, PlanError, read_plan


def pool_of(tenant: str, tap: str) -> str:
    """Returns the name of the pool of a tenant's tap."""
    return f"hr_{tenant}.{tap}"


def pools(plan: Plan) -> dict[str, dict[str, object]]:
    """Returns the pools by name."""
    return {
        pool_of(name, tap): {
            "slots": one.tasks_at_once,
            "description": f"Tasks that use the credential of {name} for {tap}",
            "include_deferred": False,
        }
        for name, tenant in plan.tenants.items()
        for tap, one in tenant.taps.items()
    }


if __name__ == "__main__":
    try:
        print(json.dumps(pools(read_plan()), indent=2))  # noqa: T201
    except PlanError as problem:
        sys.exit(str(problem))
