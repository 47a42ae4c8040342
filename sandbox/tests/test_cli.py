"""The command: its output, its errors, and a clean shutdown."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hr_sandbox.cli import main
from hr_sandbox.company import build_company
from hr_sandbox.options import FIRST_TODAY, OptionError, Options

COMMAND = (sys.executable, "-c", "from hr_sandbox.cli import main; main()", "serve")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_a_signal(number: signal.Signals) -> None:
    command = [*COMMAND, "--port", "0", "--employees", "20", "--seed", "3", "--client-id", "me"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout
        line = process.stdout.readline()
        found = re.fullmatch(r"hr-sandbox ready at (http://127\.0\.0\.1:\d+) \(employees 20, seed 3\)\n", line)
        assert found
        form = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "sandbox-secret"}
        answer = requests.post(f"{found[1]}/personio/v2/auth/token", data=form, timeout=30)
        assert answer.status_code == 200
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_stops_quietly_during_a_request() -> None:
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [*COMMAND, "--port", "0", "--employees", "10", "--latency-ms", "60000"]
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout
        url = process.stdout.readline().split()[3]

        def ask() -> None:
            with pytest.raises(requests.exceptions.RequestException):
                requests.get(f"{url}/personio/v2/persons", timeout=30).raise_for_status()

        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            while not requests.get(f"{url}/_control/requests", timeout=30).json()["requests"]:
                pass
            process.terminate()
            asked.result()
        assert (process.wait(), process.communicate()) == (0, ("", ""))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["serve", "--port", "x"],
        ["serve", "--port", "70000"],
        ["serve", "--employees", "0"],
        ["serve", "--seed", "x"],
        ["serve", "--today", "2026-02-30"],
        ["serve", "--today", "2999-01-01"],
        ["serve", "--today", "1969-12-31"],
        ["serve", "--today", "0005-01-01"],
        ["serve", "--latency-ms", "-1"],
        ["serve", "--latency-ms", "nan"],
        ["serve", "--requests-per-minute", "0"],
        ["serve", "--token-ttl", "0"],
        ["serve", "--token-ttl", "inf"],
        ["serve", "--fault-rate", "1.5"],
        ["serve", "--client-id", ""],
        ["serve", "--host", "0.0.0.0"],  # noqa: S104  refused
        ["serve", "--host", "example.com"],
        ["serve", "--wings", "2"],
    ],
    ids=str,
)
def test_invalid_arguments_end_with_one_sentence(arguments: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"hr-sandbox: [^\n]+\.\n", err)


def test_the_earliest_allowed_today_builds_a_company() -> None:
    options = Options(today=FIRST_TODAY, employees=20)
    assert len(build_company(options.employees, options.seed, options.today).people) == 20


def test_a_port_in_use_is_reported(capsys: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        main(["serve", "--port", str(taken.getsockname()[1]), "--employees", "10"])
    assert ended.value.code == 2
    assert "Cannot listen" in capsys.readouterr().err


def test_a_remote_host_requires_a_flag() -> None:
    with pytest.raises(OptionError, match="--allow-remote"):
        Options(host="0.0.0.0")  # noqa: S104  refused
    assert Options(host="0.0.0.0", allow_remote=True).allow_remote  # noqa: S104  not listened on
    for host in ("127.0.0.1", "::1", "localhost", "127.8.9.1"):
        assert Options(host=host).host == host
