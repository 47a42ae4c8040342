"""The target as a plugin: its name, settings and their validation."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TargetCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator, _ConfigInput
from singer_sdk.target_base import Target

from target_duckdb.database import IN_MEMORY, Attachment, Database
from target_duckdb.errors import TargetError
from target_duckdb.flatten import Flattening
from target_duckdb.messages import MessageReader
from target_duckdb.settings import SETTINGS
from target_duckdb.stream_maps import invalid_expressions, make_suggestion

if TYPE_CHECKING:
    import click

_RESERVED_SCHEMAS = {"information_schema", "pg_catalog"}
_RESERVED_CATALOGS = {"temp", "system"}
_UNUSED = ("validate_records",)  # an SDK setting without effect, because values that do not fit their type are kept
_MAX_RULE_LENGTH = 100
_NOT_SETTINGS = {"loglevel"}  # environment variables that are not settings


class ConfiguredTarget(Target):
    """The target with its settings, before it reads any message.

    Raises:
        ConfigValidationError: A setting is invalid.
        TargetError: The type of an environment variable is invalid.
    """

    name = "target-duckdb"
    package_name = "hrtaps-target-duckdb"
    message_reader_class = MessageReader
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.BATCH,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.HARD_DELETE,
        TargetCapabilities.TARGET_SCHEMA,
    ]
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS.to_dict()

    def __init__(self, **options: Any) -> None:
        config = _without_nulls(options.get("config") or {})
        prefix = self._env_var_prefix if options.get("parse_env_config") else None
        names = [name.removeprefix(prefix).lower() for name in os.environ if name.startswith(prefix)] if prefix else []
        self._variables = [name for name in names if name not in _NOT_SETTINGS]
        try:
            super().__init__(**{**options, "config": config, "setup_mapper": False})
        except ValueError:  # the SDK's own error prints the value
            raise TargetError(
                "The value of an environment variable TARGET_DUCKDB_... does not have the type of its setting."
            ) from None
        self.schema = str(self.config["default_target_schema"])
        self.state_id = str(self.config.get("state_id") or self.schema)
        attach = [{"path": item} if isinstance(item, str) else item for item in self.config.get("attach") or ()]
        self.database = Database(
            expand_home(os.fspath(self.config.get("path") or self.config["filepath"])),
            memory_limit=self.config["memory_limit"],
            lock_timeout=self.config["lock_timeout"],
            token=self.config.get("token"),
            attach=[Attachment(**item) for item in attach],
            catalog=self.config.get("catalog"),
            storage_version=self.config.get("storage_version"),
        )

    @property
    def flattening(self) -> Flattening:
        """The options for flattening, from this target's or the SDK's settings."""
        level = self.config["data_flattening_max_level"]
        if not level and self.config.get("flattening_enabled"):
            level = self.config["flattening_max_depth"]
        given = {
            name: self.config[f"flattening_{name}"]
            for name in ("separator", "max_key_length")
            if f"flattening_{name}" in self.config
        }
        return Flattening(level, **given)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Reports settings that are invalid or unknown, without their values."""
        self.append_builtin_config(self.config_jsonschema)
        errors = []
        for error in JSONSchemaValidator(self.config_jsonschema).iter_errors(self._config):
            name = ".".join(str(part) for part in error.path)
            rule = f"{error.validator}: {json.dumps(error.validator_value)}"
            rule = f" ({rule})" if len(rule) <= _MAX_RULE_LENGTH else ""
            errors.append(f"The setting {name} is not valid{rule}. {_find_description(name)}".rstrip())
        self._warn_of_unknown()
        stream_maps = self._config.get("stream_maps")
        errors += invalid_expressions(stream_maps) if isinstance(stream_maps, dict) else []
        if self._config.get("flattening_enabled") and "flattening_max_depth" not in self._config:
            errors.append(
                "The setting flattening_enabled requires flattening_max_depth: set how many levels to flatten."
            )
        path = self._config.get("path") or self._config.get("filepath")
        if not path:
            errors.append("The setting path is missing: set it to the DuckDB file to load into.")
        elif path == IN_MEMORY and not self._config.get("catalog"):
            errors.append(
                "The setting path is a database in memory, which is lost at the end: set it to a file, or set catalog"
                " to an attached database."
            )
        catalog = self._config.get("catalog")
        if isinstance(catalog, str) and self._is_temporary_catalog(catalog, path == IN_MEMORY):
            errors.append(
                "The setting catalog is a database in memory, which is lost at the end: set it to an attached file."
            )
        if self._config.get("default_target_schema") == "":
            errors.append("The setting default_target_schema is empty: set it to a schema, such as 'main'.")
        if str(self._config.get("default_target_schema")).lower() in _RESERVED_SCHEMAS:
            errors.append("The setting default_target_schema is reserved by DuckDB: choose another schema.")
        if errors and raise_errors:
            raise ConfigValidationError("The settings are not valid.", errors=errors, schema=self.config_jsonschema)
        return errors

    def _warn_of_unknown(self) -> None:
        """Warns about unknown settings. Names that start with an underscore are comments."""
        known = [*self.config_jsonschema["properties"], *_UNUSED]
        for name in [*self._config, *self._variables]:
            if name not in known and not name.startswith("_"):
                self.logger.warning(
                    "The setting '%s' is unknown and has no effect.%s", name, make_suggestion(name, known)
                )

    def _is_temporary_catalog(self, catalog: str, in_memory: bool) -> bool:  # noqa: FBT001 - private
        """Whether a catalog is built into DuckDB or attached in memory."""
        attach = self._config.get("attach")
        items = [item for item in attach if isinstance(item, dict)] if isinstance(attach, list) else []
        paths = {str(item.get("alias")).lower(): str(item.get("path")) for item in items}
        if catalog.lower() in paths:
            return paths[catalog.lower()].startswith(IN_MEMORY) or not paths[catalog.lower()]
        return catalog.lower() in ({*_RESERVED_CATALOGS, "memory"} if in_memory else _RESERVED_CATALOGS)

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> _ConfigInput:
        """Reads the configuration files."""
        try:
            return super().cb_config(ctx, param, value)
        except FileNotFoundError:
            message = "The file given with --config does not exist."
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            message = f"The file given with --config cannot be read: {reason}."
        except (ValueError, TypeError):
            message = "The file given with --config is not a JSON object."
        cls.logger.error(message)
        raise SystemExit(1)


def expand_home(path: str) -> str:
    """Expands `~` in a path as DuckDB does."""
    return os.path.expanduser(path)  # noqa: PTH111 - it may be `md:hr`, and pathlib fails without a home folder


def _without_nulls(config: dict[str, Any]) -> dict[str, Any]:
    """Removes settings that are null, so that they get their defaults. Keeps nulls in stream maps."""
    config = {name: value for name, value in config.items() if value is not None}
    if isinstance(config.get("attach"), list):
        config["attach"] = [
            {name: value for name, value in item.items() if value is not None} if isinstance(item, dict) else item
            for item in config["attach"]
        ]
    return config


def _find_description(setting: str) -> str:
    properties: dict[str, dict[str, str]] = SETTINGS.to_dict()["properties"]
    return properties.get(setting.partition(".")[0], {}).get("description", "")
