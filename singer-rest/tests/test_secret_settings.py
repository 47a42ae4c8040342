"""Secrets from files and from the system's keyring."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from singer_rest.errors import RunError
from singer_rest.secret_settings import add_secret_files, is_exposed, load_secrets, read_secret
from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "zqx-the-secret"
SCHEMA = add_secret_files(
    th.PropertiesList(
        th.Property("user", th.StringType),
        th.Property("password", th.StringType, secret=True, title="Password"),
        th.Property("privacy_key", th.StringType, secret=True),
    ).to_dict()
)


class Memory(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.passwords = {("hr/taps", "api"): SECRET}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise KeyringLocked(f"{SECRET} is locked")
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


@pytest.fixture
def memory() -> Iterator[Memory]:
    """The keyring of the system."""
    before, found = keyring.get_keyring(), Memory()
    keyring.set_keyring(found)
    yield found
    keyring.set_keyring(before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with the secret that only its owner may read."""
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return path


def read(**config: Any) -> Any:
    return read_secret(config, "password")


def test_each_secret_may_be_in_a_file(file: Path) -> None:
    assert list(SCHEMA["properties"]) == ["user", "password", "password_file", "privacy_key", "privacy_key_file"]
    assert SCHEMA["properties"]["password_file"]["title"] == "Password file"
    config = {"user": "ada", "password_file": str(file), "privacy_key_file": str(file)}
    assert load_secrets(config, SCHEMA, except_for="privacy_key") == []
    assert config == {"user": "ada", "password": SECRET, "privacy_key_file": str(file)}


def test_secret_that_is_given_as_it_is_stays() -> None:
    assert (read(password=SECRET), read()) == (SECRET, None)


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize("mode", [0o604, 0o644, 0o660, 0o444])
def test_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(RunError, match="Others can read the file in `password_file`"):
        read(password_file=str(file))


def test_group_may_read_the_files_of_root_only() -> None:
    assert (is_exposed(0o440, 0), is_exposed(0o400, 0), is_exposed(0o600, 1000)) == (False, False, False)
    assert (is_exposed(0o440, 1000), is_exposed(0o460, 0), is_exposed(0o444, 0)) == (True, True, True)


def test_files_that_hold_no_secret_are_explained(tmp_path: Path, file: Path) -> None:
    cases = {"cannot be read: No such file": tmp_path / "none", "is empty": tmp_path / "empty", "is not text": file}
    (tmp_path / "empty").touch(mode=0o600)
    file.write_bytes(b"\xff\xfe")
    for expected, path in cases.items():
        with pytest.raises(RunError, match=expected) as found:
            read(password_file=str(path))
        assert str(tmp_path) not in str(found.value)
    with pytest.raises(RunError, match="Set `password` or `password_file`, not both"):
        read(password="x", password_file=str(file))
    config = {"password_file": str(tmp_path / "none")}
    assert len(load_secrets(config, SCHEMA, except_for="privacy_key")) == 1


def test_secret_may_be_in_the_keyring(memory: Memory) -> None:
    assert read(password="keyring:hr/taps/api") == SECRET
    for value, expected in [("keyring:api", "write it as keyring:SERVICE/USER"), ("keyring:x/y", "holds nothing")]:
        with pytest.raises(RunError, match=expected):
            read(password=value)
    memory.is_locked = True
    with pytest.raises(RunError, match="KeyringLocked") as error:
        read(password="keyring:hr/taps/api")
    assert SECRET not in str(error.value)


def test_keyring_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(RunError, match="with its extra `keyring`"):
        read(password="keyring:hr/api")
