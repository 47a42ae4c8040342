"""Secrets from files or from the system's keyring, so that neither a config nor the environment holds them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_rest.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    Schema = Mapping[str, Any]

FILE = "_file"
"""Added to the name of a secret setting, for the setting that names a file with it."""
KEYRING = "keyring:"
"""The start of a value that names an entry of the keyring instead of being the secret."""


def add_secret_files(schema: Schema) -> dict[str, Any]:
    """Returns the JSON Schema of the settings, in which each secret can also be given by a file."""
    properties: dict[str, Any] = {}
    for name, definition in schema["properties"].items():
        properties.setdefault(name, definition)
        if definition.get("secret"):
            properties[name + FILE] = {
                "type": ["string", "null"],
                "title": f"{definition.get('title', name)} file",
                "description": f"A file that holds `{name}`. Nobody but its owner may be able to read it.",
            }
    return {**schema, "properties": properties}


def load_secrets(config: MutableMapping[str, Any], schema: Schema, *, except_for: str) -> list[str]:
    """Replaces the files and entries of the keyring in the settings by the secrets.

    Args:
        config: The settings.
        schema: Their JSON Schema.
        except_for: A secret that is read only if it is needed.

    Returns:
        A sentence for each secret that cannot be read.
    """
    errors = []
    for name, definition in schema["properties"].items():
        if definition.get("secret") and name != except_for:
            try:
                secret = read_secret(config, name)
            except RunError as error:
                errors.append(str(error))
                continue
            if secret is not None:
                config[name] = secret
                config.pop(name + FILE, None)
    return errors


def read_secret(config: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - the settings are not validated yet
    """Returns a secret from its setting, its file or the keyring. None: it is not set.

    Raises:
        RunError: If it cannot be read, or others can read its file.
    """
    value, file = config.get(name), config.get(name + FILE)
    if value and file:
        raise RunError(f"Set `{name}` or `{name}{FILE}`, not both.")
    if file:
        return _read_file(Path(str(file)).expanduser(), name + FILE)
    if isinstance(value, str) and value.startswith(KEYRING):
        return _read_keyring(value.removeprefix(KEYRING), name)
    return value


def _read_file(path: Path, setting: str) -> str:
    try:
        status = path.stat()
        content = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise RunError(f"The file in `{setting}` cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise RunError(f"The file in `{setting}` is not text.") from None
    if os.name == "posix" and is_exposed(status.st_mode, status.st_uid):
        raise RunError(
            f"Others can read the file in `{setting}`. Protect it: chmod 600 FILE, or mode 0400 (0440 with a group) "
            "for a secret of Docker or Kubernetes."
        )
    if not content:
        raise RunError(f"The file in `{setting}` is empty.")
    return content


def is_exposed(mode: int, owner: int) -> bool:
    """Whether others than the owner can use a file. The group may read a file of root, as PostgreSQL allows.

    Orchestrators own the files of secrets, and give them to the group of the process.

    Args:
        mode: The file's mode.
        owner: The id of its owner.
    """
    of_group = stat.S_IWGRP | stat.S_IXGRP if owner == 0 else stat.S_IRWXG
    return bool(mode & (stat.S_IRWXO | of_group))


def _read_keyring(entry: str, setting: str) -> str:
    service, _, user = entry.rpartition("/")
    if not service or not user:
        raise RunError(f"`{setting}` names an entry of the keyring: write it as {KEYRING}SERVICE/USER.")
    try:
        import keyring  # noqa: PLC0415 - an optional dependency
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        raise RunError(
            f"`{setting}` names an entry of the keyring: install the tap with its extra `keyring`, such as "
            "`pip install 'tap-personio[keyring]'`."
        ) from None
    try:
        secret = keyring.get_password(service, user)
    except KeyringError as error:
        raise RunError(f"The keyring cannot be read for `{setting}`: {type(error).__name__}. Unlock it.") from None
    if not secret:
        raise RunError(f"The keyring holds nothing for `{setting}`. Store it: keyring set SERVICE USER.")
    return secret
