"""The Meltano project: its taps, their settings, selection and schedules, and where its programs are."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

INHERITED = frozenset(
    {
        "HOME",
        "LANG",
        "PATH",
        "TMPDIR",
        "TZ",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        *(name for base in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (base, base.lower())),
    }
)
"""What a tap and a loader see of Airflow's environment, which holds secrets of Airflow's own."""


class ProjectError(ValueError):
    """`meltano.yml` lacks something. The message says what."""


class Project:
    """A Meltano project.

    Args:
        folder: The folder of `meltano.yml`.
        environment: The Meltano environment whose settings are used.
        programs: Where programs are that Meltano has not installed.
    """

    def __init__(self, folder: Path, environment: str | None, programs: Mapping[str, Path]) -> None:
        self.folder = folder
        self._environment = environment
        self._programs = programs

    @cached_property
    def _content(self) -> dict[str, Any]:
        try:
            return dict(yaml.safe_load((self.folder / "meltano.yml").read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError, yaml.YAMLError):
            raise ProjectError(f"{self.folder / 'meltano.yml'} cannot be read. Set `project` to its folder.") from None

    def _extractor(self, tap: str) -> dict[str, Any]:
        extractors = {one["name"]: one for one in self._content["plugins"]["extractors"]}
        if tap not in extractors:
            raise ProjectError(f"meltano.yml has no extractor {tap}, only {', '.join(extractors)}")
        return dict(extractors[tap])

    def settings(self, tap: str) -> dict[str, dict[str, Any]]:
        """Returns the definitions of a tap's settings, by name."""
        return {one["name"]: one for one in self._extractor(tap).get("settings", ())}

    def config(self, tap: str) -> dict[str, Any]:
        """Returns the settings that `meltano.yml` has for a tap, without Meltano's own."""
        config = dict(self._extractor(tap).get("config", {}))
        if self._environment:
            environments = {one["name"]: one for one in self._content.get("environments", ())}
            if self._environment not in environments:
                raise ProjectError(f"meltano.yml has no environment {self._environment}")
            plugins = environments[self._environment].get("config", {}).get("plugins", {})
            for plugin in plugins.get("extractors", ()):
                if plugin["name"] == tap:
                    config |= plugin.get("config", {})
        return {name: value for name, value in config.items() if not name.startswith("_")}

    def select(self, tap: str) -> list[str]:
        """Returns the selection patterns of a tap."""
        return list(self._extractor(tap).get("select", ["*.*"]))

    def schedules(self, tap: str) -> Iterator[str]:
        """Yields the intervals of the schedules whose jobs run a tap."""
        jobs = {one["name"]: str(one["tasks"]) for one in self._content.get("jobs", ())}
        for schedule in self._content.get("schedules", ()):
            if tap in jobs.get(schedule.get("job"), ""):
                yield schedule["interval"]

    def program(self, name: str) -> str:
        """Returns the path of a tap or loader.

        Raises:
            ProjectError: If it is not installed.
        """
        installed = [self._programs[name]] if name in self._programs else []
        environments = [self.folder / ".meltano" / kind / name for kind in ("extractors", "loaders")]
        installed += [environment / "venv" / "bin" / name for environment in environments]
        for path in installed:
            if path.is_file():
                return str(path.absolute())
        raise ProjectError(f"{name} is not installed. Run `meltano install`, or write its path under `programs`.")


def environment_of(plugin: str, settings: Mapping[str, Any], inherited: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment variables of a tap or a loader."""
    prefix = plugin.replace("-", "_").upper()
    return {name: value for name, value in inherited.items() if name in INHERITED or name.startswith("OTEL_")} | {
        f"{prefix}_{name.upper()}": value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in settings.items()
        if value is not None
    }
