"""Airflow's operators, which look up secrets as they run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator, Connection, Variable
from airflow.sdk.exceptions import AirflowException

from hr_pipeline.alerts import send_alert
from hr_pipeline.load import Load, LoadError
from hr_pipeline.pipeline import ProgramError
from hr_pipeline.plan import read_plan
from hr_pipeline.store import Database, LockedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from hr_pipeline.plan import Secret

logger = logging.getLogger(__name__)
Step = Literal["load", "create_tables", "merge"]


def find_secret(secret: Secret) -> str:
    """Returns a secret."""
    if secret.file:
        return secret.file.read_text(encoding="utf-8").strip()
    if secret.connection:
        return str(Connection.get(secret.connection).password)
    return str(Variable.get(secret.variable))


def find_database(name: str) -> Database:
    """Returns the database of a connection."""
    found = Connection.get(name)
    return Database(found.host, int(found.port or 5432), found.login, found.password or "", found.schema)


class LoadOperator(BaseOperator):
    """Loads a group of streams, or a part of it. Its result is the record of the run.

    Args:
        tenant: The tenant.
        tap: The tap.
        group: The group.
        part: The part of a back-fill.
        step: `load`; for a back-fill also `create_tables` before, and `merge` for the states of its parts after.
        **kwargs: Those of every operator.
    """

    template_fields: Sequence[str] = ("part",)

    def __init__(
        self, *, tenant: str, tap: str, group: str, part: str = "", step: Step = "load", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.tenant, self.tap, self.group, self.part, self.step = tenant, tap, group, part, step
        self._load: Load | None = None

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Loads the group."""
        plan = read_plan()
        self._load = load = Load(
            plan,
            find_database(plan.database),
            find_secret,
            self.tenant,
            self.tap,
            self.group,
            context["run_id"],
            is_full=bool(context["params"].get("full_refresh")),
            part=self.part,
        )
        try:
            steps = {"load": load.load, "create_tables": load.create_tables, "merge": load.merge}
            return steps[self.step]()
        except (LockedError, ProgramError) as error:
            if isinstance(error, LoadError):
                logger.info("%s", error.record)
            raise AirflowException(str(error)) from None

    def on_kill(self) -> None:
        """Stops the load when Airflow stops the task."""
        if self._load:
            self._load.stop()


def alert(context: Context) -> None:
    """Tells of a task that has failed for good, by the names of the tenant's DAG, the task and the run."""
    task = context["ti"]
    message = {
        "text": f"{task.dag_id}: {task.task_id} failed",
        "dag": task.dag_id,
        "task": task.task_id,
        "map_index": task.map_index,
        "run": task.run_id,
        "try_number": task.try_number,
    }
    send_alert(read_plan().alert, message, find_secret)
