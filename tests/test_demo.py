"""The demo, apart from its run, which is `make demo`."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest
from hr_sandbox.testing import running

import demo

if TYPE_CHECKING:
    from pathlib import Path


def demo_of(profile: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> demo.Demo:
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "OUTPUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["demo.py", "--privacy", profile])
    return demo.parse_arguments()


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="`privacy` is 'minimum': use one of everything, no-pay"):
        demo_of("minimum", monkeypatch, tmp_path)


def test_each_profile_has_its_own_folder_and_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "agreed.yml"
    own.write_text("extends: minimal\n")
    keys = set()
    for profile, folder in (("minimal", "demo-minimal"), (str(own), "demo-agreed")):
        found = demo_of(profile, monkeypatch, tmp_path)
        assert found.folder == tmp_path / folder
        demo.prepare_folder(found)
        key = found.folder / "privacy.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        keys.add(key.read_text())
        environment = demo.make_environment(found, "http://127.0.0.1:1")
        assert environment["TAP_FACTORIAL_PRIVACY"] == profile
        assert environment["TAP_FACTORIAL_PRIVACY_KEY_FILE"] == str(key)
    assert len(keys) == 2
    everything = demo_of("everything", monkeypatch, tmp_path)
    demo.prepare_folder(everything)
    assert not (tmp_path / "demo" / "privacy.key").exists()
    assert not any("PRIVACY" in name for name in demo.make_environment(everything, "http://127.0.0.1:1"))


def test_what_a_profile_leaves_out_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = demo_of("no-pay", monkeypatch, tmp_path)
    with running(employees=10) as sandbox:
        taps = [demo.Progress(vendor, found.streams(vendor, sandbox.url)) for vendor in demo.VENDORS]
        taps[-1].count_line("[warning] ou_core: 7 rows were not loaded: the privacy profile drops rows of their kind.")
        told = demo.describe_left_out(found, taps, sandbox.url)
    personio = taps[0]
    assert personio.vendor.streams - personio.offered == {"compensations", "salary_bands"}
    assert ", 2 streams, 7 rows of other streams; the profile no-pay drops secret," in told
    assert " pay," in told
