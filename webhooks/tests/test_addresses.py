"""Addresses that cannot be guessed, and the key that makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hr_webhooks.addresses import (
    Address,
    AddressBook,
    create_address_key,
    list_addresses,
    make_path,
    make_url,
    read_address_keys,
    write_address_keys,
)
from hr_webhooks.cli import main
from hr_webhooks.config import load_config
from hr_webhooks.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

KEY, OLD_KEY = b"k" * 64, b"o" * 64
PERSON = Address("acme", "personio")
HIRE = Address("acme", "factorial", "employees/employee/update")
CONFIG = """
journal: journal
public_url: https://hooks.example.com/in/
address_key_file: key
tenants:
  acme:
    personio: {secret_files: [personio]}
    factorial: {secret_files: [factorial], types: [employees/employee/update, timeoff/leave/create]}
  other:
    cornerstone: {secret_env: [CORNERSTONE_KEY]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "webhooks.yml"
    path.write_text(CONFIG)
    write_address_keys(tmp_path / "key", ["n" * 64, "o" * 64])
    return path


def test_paths_name_vendor_tenant_and_type() -> None:
    assert make_path(KEY, PERSON).startswith("/personio/acme/")
    assert make_path(KEY, HIRE).startswith("/factorial/acme/employees/employee/update/")
    codes = {make_path(key, address).split("/")[-1] for key in (KEY, OLD_KEY) for address in (PERSON, HIRE)}
    assert len(codes) == 4
    assert {len(code) for code in codes} == {32}


def test_an_address_is_found_with_either_key() -> None:
    book = AddressBook([PERSON, HIRE], [KEY, OLD_KEY])
    for key in (KEY, OLD_KEY):
        assert book.find(make_path(key, HIRE).encode()) == HIRE
    assert AddressBook([PERSON, HIRE], [KEY]).find(make_path(OLD_KEY, HIRE).encode()) is None


def test_nothing_but_the_exact_path_is_found() -> None:
    book = AddressBook([PERSON], [KEY])
    path = make_path(KEY, PERSON)
    assert book.find(path.encode()) == PERSON
    code = path.rpartition("/")[2]
    for wrong in (
        path[:-1],
        path + "/",
        path + "a",
        path.upper(),
        path.replace("personio", "Personio"),
        "/" + path,
        path.replace("/acme/", "//acme/"),
        path.replace("/acme/", "/acme/../acme/"),
        path.replace("/acme/", "%2Facme/"),
        path.replace("acme", "%61cme"),
        path.replace("acme", "other"),
        f"/cornerstone/acme/{code}",
        f"/personio/acme/x/{code}",
        f"/{code}",
        code,
        "/personio/acme/",
        "/personio/acme",
        "/",
        "",
        "/personio/acme/ä",
    ):
        assert book.find(wrong.encode()) is None, wrong


def test_the_path_of_the_public_url_may_precede() -> None:
    book = AddressBook([PERSON], [KEY], "https://hooks.example.com/in/")
    path = make_path(KEY, PERSON)
    assert make_url("https://hooks.example.com/in/", KEY, PERSON) == f"https://hooks.example.com/in{path}"
    assert book.find(f"/in{path}".encode()) == book.find(path.encode()) == PERSON
    assert book.find(f"/inn{path}".encode()) is None
    assert book.find(f"/in/in{path}".encode()) is None


def test_the_command_prints_every_address(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["addresses", "--config", str(config)]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[:3] for row in rows] == [
        ["acme", "personio", "-"],
        ["acme", "factorial", "employees/employee/update"],
        ["acme", "factorial", "timeoff/leave/create"],
        ["other", "cornerstone", "-"],
    ]
    assert [row[3] for row in rows] == [
        make_url("https://hooks.example.com/in", b"n" * 64, address) for address in list_addresses(load_config(config))
    ]
    assert main(["addresses", "--config", str(config), "--tenant", "other"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_keys_are_unlike_and_private(tmp_path: Path) -> None:
    assert create_address_key() != create_address_key()
    path = tmp_path / "secrets" / "key"
    write_address_keys(path, [create_address_key()])
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(read_address_keys(path)) == 1
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_address_keys(path)


@pytest.mark.parametrize("content", ["", "\n", "short\n", f"{'a' * 64}\nshort\n", f"{'a' * 64}\n" * 3, "\udcff" * 64])
def test_a_bad_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content.encode(errors="surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(ConfigError):
        read_address_keys(path)


def test_a_missing_key_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hr-webhooks init"):
        read_address_keys(tmp_path / "key")
