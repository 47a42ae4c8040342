"""Loads a group of streams of a tenant's tap, under a lock, from the saved state to the saved state."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hr_pipeline.catalog import select, selected_schemas
from hr_pipeline.pipeline import Command, Pipeline, ProgramError
from hr_pipeline.project import environment_of
from hr_pipeline.record import read_record
from hr_pipeline.store import Store, application_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hr_pipeline.pipeline import Outcome
    from hr_pipeline.plan import Plan, Secret
    from hr_pipeline.store import Database

FOLDER = Path(__file__).parent


class LoadError(ProgramError):
    """A load has failed. What was committed is kept, with its state.

    Attributes:
        record: The record of the run.
    """

    def __init__(self, message: str, record: dict[str, Any]) -> None:
        super().__init__(message)
        self.record = record


@dataclass
class Load:
    """A load, which can be stopped.

    Args:
        plan: The plan.
        database: The database with the state, the locks and the tables.
        find_secret: Returns the secret that a source leads to.
        tenant: The tenant.
        tap: The tap.
        group: The group of streams.
        run: The id of the DAG's run.
        is_full: Whether everything is read again.
        part: The part of a back-fill, such as `2/4`.
    """

    plan: Plan
    database: Database
    find_secret: Callable[[Secret], str]
    tenant: str
    tap: str
    group: str
    run: str
    is_full: bool = False
    part: str = ""
    _pipeline: Pipeline | None = field(default=None, init=False)

    @property
    def _name(self) -> str:
        return f"{self.tenant}.{self.tap}.{self.group}"

    @property
    def _schema(self) -> str:
        schema = self.tap.replace("-", "_")
        return f"{self.tenant}_{schema}" if self._lands_in_postgres else schema

    @property
    def _lands_in_postgres(self) -> bool:
        return self.plan.tenants[self.tenant].landing == "postgres"

    @property
    def _logging(self) -> Path:
        return self.plan.meltano.folder / "deploy" / "logging.yaml"

    def load(self) -> dict[str, Any]:
        """Loads the group.

        Returns:
            The record of the run.

        Raises:
            LoadError: If the tap or the loader fails. What was committed is kept, with its state.
            LockedError: If another task loads the same.
        """
        with self._open_store() as store, tempfile.TemporaryDirectory() as folder:
            self._prepare(store)
            scratch = Path(folder)
            tap = self._tap(scratch, store.read(this_run_only=self.is_full or bool(self.part)))
            self._pipeline = Pipeline(tap, self._loader())
            outcome = self._pipeline.run(lambda line: store.save(json.loads(line)))
            return self._record(scratch, outcome)

    def create_tables(self) -> None:
        """Creates the tables, which several parts at once would fail to do.

        Raises:
            LoadError: If the loader fails.
        """
        with self._open_store() as store, tempfile.TemporaryDirectory() as folder:
            self._prepare(store)
            scratch = Path(folder)
            tap = self._tap(scratch, {})
            catalog = json.loads((scratch / "catalog.json").read_text(encoding="utf-8"))
            # It writes the schemas of all streams, whatever the catalog.
            messages = Command([*tap.arguments, "--test=schema"], tap.environment).read()
            schemas = selected_schemas(messages, catalog)
            (scratch / "schemas").write_text("".join(f"{json.dumps(one)}\n" for one in schemas), encoding="utf-8")
            source = Command(["cat", str(scratch / "schemas")], tap.environment)
            outcome = Pipeline(source, self._loader()).run(lambda _: None)
            self._raise_if_failed(outcome, {})

    def merge(self) -> dict[str, Any]:
        """Merges the states of the parts of this run into the state from which the next load goes on.

        Returns:
            The record: the number of parts, and the names of the streams.

        Raises:
            ProgramError: If the states do not belong together, or one is missing or incomplete.
        """
        with self._open_store() as store, tempfile.TemporaryDirectory() as folder:
            store.lock(self._name, self.plan.lock_wait)
            files = []
            for number, state in enumerate(store.read_parts(self.group)):
                path = Path(folder) / f"{number}.json"
                _write_private(path, state)
                files.append(str(path))
            program = self.plan.meltano.program(self.tap)
            merged = json.loads(Command([program, "--merge-states", *files], self._environment({})).read())
            store.save(merged)
            store.forget_parts(self.group)
            return {"parts": len(files), "streams": sorted(merged["bookmarks"])}

    def stop(self) -> None:
        """Stops the load; what has arrived is committed."""
        if self._pipeline:
            self._pipeline.stop()

    def _open_store(self) -> Store:
        return Store(self.database, self.tenant, self.tap, self.run, f"{self.group}/{self.part}" if self.part else "")

    def _prepare(self, store: Store) -> None:
        """Creates what the loader needs, and waits until no other task loads the same."""
        store.prepare(self._schema if self._lands_in_postgres else None)
        store.lock(self._name, self.plan.lock_wait, shared=bool(self.part))
        if self.part:
            store.lock(f"{self._name} {self.part}", self.plan.lock_wait)
        store.end_loaders(application_name(self._name, self.part))

    def _tap(self, scratch: Path, state: dict[str, Any]) -> Command:
        plan, project = self.plan.tenants[self.tenant].taps[self.tap], self.plan.meltano
        settings = project.config(self.tap) | plan.shared_settings()
        for name, secret in plan.secrets.items():
            if secret.file:
                settings[f"{name}_file"] = str(secret.file)
            else:
                settings[name] = self.find_secret(secret)
        settings["metrics_file"] = str(scratch / "run.prom")
        if self.part:
            settings["slice"] = self.part
        environment = self._environment(settings)
        program = [project.program(self.tap), "--config=ENV"]
        catalog = json.loads(Command([*program, "--discover"], environment).read())
        chosen = select(catalog, plan.select or project.select(self.tap), plan.groups, self.group)
        files = {"catalog": chosen, "state": state}
        for name, content in files.items():
            _write_private(scratch / f"{name}.json", content)
        return Command([*program, *(f"--{name}={scratch / name}.json" for name in files)], environment)

    def _environment(self, settings: Mapping[str, Any]) -> dict[str, str]:
        return environment_of(self.tap, settings, os.environ) | {"SINGER_SDK_LOG_CONFIG": str(self._logging)}

    def _loader(self) -> Command:
        if self._lands_in_postgres:
            name, settings = "target-postgres", self.database.loader_settings()
            logging = FOLDER / "logging-target-postgres.yml"
        else:
            name, settings = "target-duckdb", {"path": str(self.plan.files / f"{self.tenant}.duckdb")}
            logging = self._logging
        settings["default_target_schema"] = self._schema
        environment = environment_of(name, settings, os.environ) | {
            "PGAPPNAME": application_name(self._name, self.part),
            "SINGER_SDK_LOG_CONFIG": str(logging),
        }
        return Command([self.plan.meltano.program(name), "--config=ENV"], environment)

    def _record(self, scratch: Path, outcome: Outcome) -> dict[str, Any]:
        metrics = scratch / "run.prom"
        record = {
            "tenant": self.tenant,
            "tap": self.tap,
            "group": self.group,
            "part": self.part,
            "warnings": outcome.warnings,
            **read_record(metrics.read_text(encoding="utf-8") if metrics.exists() else ""),
        }
        self._raise_if_failed(outcome, record)
        return record

    def _raise_if_failed(self, outcome: Outcome, record: dict[str, Any]) -> None:
        if outcome.loader:
            raise LoadError(
                f"{self._name}: the loader ended with exit code {outcome.loader}. The reason is in the log above, "
                "or that of target-postgres in the log of the database.",
                record,
            )
        if outcome.tap:
            raise LoadError(
                f"{self._name}: the tap ended with exit code {outcome.tap}. The log above has its messages.", record
            )


def _write_private(path: Path, content: dict[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file)
