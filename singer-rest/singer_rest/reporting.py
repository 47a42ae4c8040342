"""The reports of a tap: the doctor, the plan, the dossier, and the check that a run loads no more than was agreed."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk.exceptions import ConfigValidationError

from singer_rest.secret_settings import FILE
from singer_rest.singer.command import Report, ReportKind
from singer_rest.singer.sdk import SdkTap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from singer_rest.diagnose.diagnosable_tap import DiagnosableTap
    from singer_rest.dossier.dossier_tap import DossierTap
    from singer_rest.singer.command import DossierOptions

PRIVACY_KEY = "privacy_key"


class ReportingTap(SdkTap):
    """A tap that reports on itself."""

    credentials: ClassVar[Sequence[Sequence[str]]]
    """Groups of settings that hold credentials. At least one group must be complete."""

    def make_report(self, kind: ReportKind, state: dict[str, Any]) -> Report:
        """Creates the report of `--doctor` or `--plan`.

        Args:
            kind: The kind of report.
            state: The state of the previous run.

        Raises:
            RunError: If no stream is selected, or the state is not one of this tap.
        """
        from singer_rest.diagnose import text  # noqa: PLC0415 - runs do not need it
        from singer_rest.diagnose.doctor import check_tap  # noqa: PLC0415
        from singer_rest.diagnose.plan import estimate_runs  # noqa: PLC0415

        self._config.pop("privacy_agreement", None)  # it is about runs
        self._config.pop("slice", None)
        if kind == "doctor":
            report = check_tap(cast("DiagnosableTap", self), state)
            return Report(report, text.format_doctor_report(report), succeeded=report["is_usable"])
        self._config.pop("only", None)  # the reports are about whole runs
        is_offline = kind == "offline plan"
        if is_offline:  # discovery would send requests with the credentials
            self.drop_credentials()
        report = estimate_runs(cast("DiagnosableTap", self), state, offline=is_offline)
        return Report(report, text.format_plan_report(report), succeeded=True)

    @property
    def credential_settings(self) -> set[str]:
        """The settings that hold the vendor's credentials, or name files with them."""
        secret = {name for name, part in self.config_jsonschema["properties"].items() if part.get("secret")}
        names = {name for group in self.credentials for name in group} | secret - {PRIVACY_KEY}
        return names | {f"{name}{FILE}" for name in names}

    def drop_credentials(self) -> None:
        """Forgets the credentials, so that discovery sends no requests."""
        self._config = {name: value for name, value in self._config.items() if name not in self.credential_settings}

    def copy_without_credentials(self) -> Self:
        """Returns another tap with the same settings and catalog, which cannot send requests."""
        config = {name: value for name, value in self.config.items() if name not in self.credential_settings}
        catalog = deepcopy(self._input_catalog)  # streams change the one that they are given
        return type(self)(config=config, catalog=catalog, validate_config=False, setup_mapper=False)

    def make_dossier(self, options: DossierOptions) -> Report:
        """Writes the dossier, or checks an agreement. Neither reads records.

        Args:
            options: What to do.

        Raises:
            RunError: If a file cannot be read or written.
            ConfigValidationError: If the settings are invalid. Credentials may be missing.
        """
        from singer_rest.dossier.report import make_dossier  # noqa: PLC0415 - runs do not need it

        secrets = {PRIVACY_KEY, f"{PRIVACY_KEY}{FILE}", *self.credential_settings}
        given = sorted(name for name in secrets if self.config.get(name))
        is_offline = options.is_offline or self.credential_settings.isdisjoint(given)
        if is_offline:
            self.drop_credentials()
            if errors := self.complete_settings():
                raise ConfigValidationError("The settings are invalid", errors=errors)
        else:
            self._validate_config()
        for name in ("only", "confirm_deleted", "slice"):
            self._config.pop(name, None)  # it is about whole runs
        return make_dossier(cast("DossierTap", self), options, given, is_offline=is_offline)

    def setup_mapper(self) -> None:
        """Discovers the streams, and creates the stream maps.

        Raises:
            RunError: If the run would load more than was agreed, as far as that is known without a request.
        """
        if (path := self.config.get("privacy_agreement")) is not None:
            from singer_rest.dossier.report import require_agreement  # noqa: PLC0415 - few runs need it

            self.logger.disabled, was_disabled = True, self.logger.disabled  # the run logs the same
            try:
                offline = cast("DossierTap", self.copy_without_credentials())
                require_agreement(offline, Path(str(path)), is_offline=True)
            finally:
                self.logger.disabled = was_disabled
        super().setup_mapper()

    def check_agreement(self) -> None:
        """Checks that the run loads no more than was agreed, if there is an agreement.

        Raises:
            RunError: If it would load more.
        """
        if (path := self.config.get("privacy_agreement")) is not None:
            from singer_rest.dossier.report import require_agreement  # noqa: PLC0415 - few runs need it

            if less := require_agreement(cast("DossierTap", self), Path(str(path)), is_offline=False):
                self.logger.info("The run loads less than was agreed. Differences: %d", len(less))
