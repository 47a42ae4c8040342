"""A whole tap behind a company's proxy, with a certificate of the company's own authority."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from hr_sandbox.testing import running
from singer_rest.testing import Output
from singer_rest.testing.network import password_proxy, tls_front

BIN = Path(sys.executable).parent
PASSWORD = "s3cret"


def run_tap(url: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs tap-personio, without the proxies and authorities of this machine."""
    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    settings = {
        "TAP_PERSONIO_API_URL": f"{url}/personio",
        "TAP_PERSONIO_CLIENT_ID": "sandbox-client",
        "TAP_PERSONIO_CLIENT_SECRET": "sandbox-secret",
    }
    return subprocess.run(
        [BIN / "tap-personio", "--config=ENV", *options],
        env=inherited | settings | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.slow
def test_tap_reads_through_a_proxy_with_a_password_and_a_certificate_of_the_company(
    tmp_path: Path,
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "company.pem"))
    with (
        running(employees=12, requests_per_minute=600_000) as sandbox,
        tls_front(sandbox.url, context) as url,
        password_proxy(tmp_path, f"jane:{PASSWORD}") as proxy,
    ):
        given = {"HTTPS_PROXY": f"http://jane:{PASSWORD}@{proxy}", "SSL_CERT_FILE": str(tmp_path / "company.pem")}
        expected = sandbox.counts("personio")
        run = run_tap(url, **given)
        doctor = run_tap(url, "--doctor", "--format=json", **given)
        wrong = run_tap(url, **given | {"HTTPS_PROXY": f"http://jane:{PASSWORD}x@{proxy}"})
    assert run.returncode == 0, run.stderr
    counts = Output(run.stdout.encode()).counts()
    assert "persons" in counts
    assert counts == {stream: expected[stream] for stream in counts}
    connection = json.loads(doctor.stdout)["connection"]
    assert connection["proxy"] == {"status": "ok", "detail": f"{proxy}, from HTTPS_PROXY"}
    assert connection["encryption"]["status"] == "ok"
    assert "SSL_CERT_FILE" in connection["encryption"]["detail"]
    assert wrong.returncode == 1
    assert f"The proxy {proxy} rejects the user name or password" in wrong.stderr
    assert PASSWORD not in run.stdout + run.stderr + doctor.stdout + wrong.stdout + wrong.stderr
