"""The configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hr_webhooks.cli import main
from hr_webhooks.config import CornerstoneConfig, load_config
from hr_webhooks.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

VALID = """
journal: output/webhooks
public_url: https://hooks.example.com
address_key_file: .secrets/key
tenants:
  acme:
    personio: {secret_files: [new, old], header: X-Webhook, api: {client_id: abc}}
    factorial: {secret_env: [FACTORIAL_CHALLENGE], types: [employees/employee/update]}
    cornerstone:
      secret_files: [cornerstone]
      hmac: {header: X-Signature, secret_file: token, encoding: base64, over: compressed}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "webhooks.yml"
    path.write_text(text)
    return path


def test_a_valid_file_is_read(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, VALID))
    assert config.journal_path == tmp_path / "output" / "webhooks"
    vendors = config.tenants["acme"].vendors()
    assert list(vendors) == ["personio", "factorial", "cornerstone"]
    assert vendors["personio"].secret_files == ("new", "old")
    assert vendors["personio"].api == {"client_id": "abc"}
    assert isinstance(vendors["cornerstone"], CornerstoneConfig)
    assert vendors["cornerstone"].hmac
    assert vendors["cornerstone"].hmac.secret_encoding == "base64"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("https://hooks", "ftp://hooks", "public_url"),
        ("hooks.example.com", "hooks.example.com?a=1", "public_url"),
        ("https://hooks.example.com", "hooks.example.com", "public_url"),
        ("  acme:", "  Acme Ltd:", "the name of a tenant"),
        ("[new, old]", "[]", "one or two secrets"),
        ("[new, old]", "[a, b, c]", "one or two secrets"),
        ("[new, old]", "[new, old], secret_env: [OTHER]", "one or two secrets"),
        ("X-Webhook", '"X Webhook"', "header"),
        ("[employees/employee/update]", "[]", "types"),
        ("employees/employee/update", "employees/update", "not a type"),
        ("employees/employee/update", "../employees/update", "not a type"),
        ("types:", "type:", "type"),
        ("over: compressed", "over: zip", "zip"),
        ("X-Signature", '""', "hmac.header"),
        ("journal: output/webhooks", "", "`journal` is missing."),
        ("journal: output/webhooks", "journal: [", "not YAML (line "),
        ("journal: output/webhooks", "journal: 7", "`journal`: expected a text, got a whole number."),
        ("journal: output/webhooks", "journals: here", "`journals` is not a setting."),
        ("[new, old]", "new", "`tenants.NAME.personio.secret_files`: expected a list"),
        ("header: X-Webhook", "headers: X", "`headers` is not a setting of `tenants.NAME.personio`."),
        ("types: [employees/employee/update]", "types: null", "`tenants.NAME.factorial.types`: expected a list"),
        ("{secret_files: [new, old], header: X-Webhook, api: {client_id: abc}}", "", "`tenants.NAME.personio`"),
        ("  acme:", "  2024:", "a name in `tenants`: expected a text"),
        ("https://hooks.example.com", "'https://[hooks'", "public_url"),
        ("https://hooks.example.com", "https://hooks.example.com:port", "public_url"),
        (VALID, "", "the file: expected settings"),
        (VALID[VALID.index("  acme:") :], "  acme: {}\n", "needs personio"),
        (VALID[VALID.index("  acme:") :], "  {}\n", "at least one tenant"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in VALID
    with pytest.raises(ConfigError, match=r"webhooks\.yml") as error:
        load_config(write(tmp_path, VALID.replace(old, new)))
    assert message in str(error.value)


def test_the_command_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["addresses", "--config", str(tmp_path / "none.yml")]) == 1
    assert "hr-webhooks init" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["unknown"])
    with pytest.raises(SystemExit, match="2"):
        main([])


def test_the_environment_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HR_WEBHOOKS_CONFIG", str(tmp_path / "other.yml"))
    assert main(["addresses"]) == 1
    assert "other.yml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["follow", "--run", "true", "--quiet-for", "soon"], "--quiet-for: expected a number of seconds"),
        (["follow", "--run", "true", "--sync-every", "-1"], "--sync-every: expected a number of hours"),
        (["follow", "--run", "true", "--name", "../other"], "--name: expected letters, digits"),
        (["trim", "--keep-days", "nan"], "--keep-days: expected a number of days"),
        (["trim", "--keep-days", "-1"], "--keep-days: expected a number of days"),
        (["sync", "--days", "99"], "--days: expected a number of days from 0 to 30"),
        (["subscribe", "--wait", "inf"], "--wait: expected a number of seconds"),
    ],
)
def test_a_wrong_option_is_one_sentence(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    written = capsys.readouterr().err
    assert message in written
    assert written.count("\n") == 1


def test_names_that_are_not_configured_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, VALID)
    assert main(["addresses", "--config", str(path), "--tenant", "other"]) == 1
    assert "It has: acme." in capsys.readouterr().err
    new = ["init", "--config", str(tmp_path / "new.yml"), "--public-url", "https://hooks.example.com"]
    assert main([*new, "--tenant", "acme", "--vendor", "personio", "--type", "tasks/task/create"]) == 1
    assert "--vendor factorial" in capsys.readouterr().err
    assert not (tmp_path / "new.yml").exists()
