"""What servers need: a script that loads without Meltano, units, examples, wheels without an index, an image."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import trustme
from hr_sandbox.testing import running
from ruamel.yaml import YAML
from singer_rest.testing.network import tls_front

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hr_sandbox.testing import Sandbox

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
SCHEMAS = {"vendor.compose-spec": "compose.yaml", "vendor.github-workflows": "github-actions.yml"}
DEBIAN_PYTHON = (3, 11)
"""Python of the distribution from which the image's base is made."""
USER = 10001
MAX_BYTES = 400e6
STOPPED = 128 + signal.SIGTERM
NO_NETWORK = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(employees=12, requests_per_minute=600_000) as running_sandbox:
        yield running_sandbox


def settings_of(sandbox: Sandbox) -> dict[str, str]:
    return {
        "TAP_PERSONIO_API_URL": f"{sandbox.url}/personio",
        "TAP_PERSONIO_CLIENT_ID": "sandbox-client",
        "TAP_PERSONIO_CLIENT_SECRET": "sandbox-secret",
    }


def environment_of(sandbox: Sandbox, database: Path, folder: Path = BIN) -> dict[str, str]:
    """The environment of the script, with the taps and the loader of a folder."""
    inherited = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    path = {"PATH": f"{folder}:/usr/bin:/bin", "TMPDIR": str(database.parent), "TARGET_DUCKDB_PATH": str(database)}
    return inherited | path | settings_of(sandbox)


def load(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [DEPLOY / "load.sh", "tap-personio", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def row_counts(database: Path) -> dict[str, int]:
    with duckdb.connect(database, read_only=True) as connection:
        tables = connection.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'tap_personio'").fetchall()
        return {
            name: connection.sql(f"SELECT count(*) FROM tap_personio.{name}").fetchall()[0][0]
            for (name,) in tables
            if not name.startswith("_")
        }


def assert_all_loaded(sandbox: Sandbox, database: Path) -> None:
    counts, expected = row_counts(database), sandbox.counts("personio")
    assert "persons" in counts
    assert counts == {name: expected[name] for name in counts}


@pytest.mark.slow
def test_script_loads_and_continues_from_the_state_in_the_database(tmp_path: Path, sandbox: Sandbox) -> None:
    database = tmp_path / "warehouse.duckdb"
    environment = environment_of(sandbox, database)
    first = load(environment)
    assert first.returncode == 0, first.stderr
    assert_all_loaded(sandbox, database)
    assert "persons: reading everything" in first.stderr
    second = load(environment)
    assert second.returncode == 0, second.stderr
    assert "persons: reading changes since" in second.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["load-started", "warehouse.duckdb"]


@pytest.fixture
def fakes(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Puts scripts in the place of the tap and the loader. Returns the environment."""

    def fakes(tap: str, loader: str) -> dict[str, str]:
        state = """if [[ $2 = --committed-state ]]; then echo '{"bookmarks": 1}'; exit; fi"""
        for name, script in (("tap-personio", tap), ("target-duckdb", f"{state}\n{loader}")):
            (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
            (tmp_path / name).chmod(0o700)
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
        return path | {"TARGET_DUCKDB_PATH": str(tmp_path / "warehouse.duckdb")}

    return fakes


@pytest.mark.parametrize(("tap", "loader", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (143, 1, 1)])
def test_script_fails_if_the_tap_or_the_loader_does(
    fakes: Callable[..., dict[str, str]], tap: int, loader: int, code: int
) -> None:
    assert load(fakes(f"exit {tap}", f"cat; exit {loader}")).returncode == code


@pytest.mark.parametrize(
    ("options", "said", "written"),
    [
        ([], 'state {"bookmarks": 1}', ""),
        (["--full-refresh"], "state {}", ""),
        (["--only=persons=1"], 'state {"bookmarks": 1} --only=persons=1', ""),
        (["--doctor", "--format=json"], "", "--config=ENV --doctor --format=json\n"),
        (["--dossier", "dossier.html"], "", "--config=ENV --dossier dossier.html\n"),
        (["--check-agreement", "agreed.yaml"], "", "--config=ENV --check-agreement agreed.yaml\n"),
        (["--pseudonym", "-"], "", "--config=ENV --pseudonym -\n"),
    ],
)
def test_records_reach_the_loader_only_and_reports_the_console(
    fakes: Callable[..., dict[str, str]], tmp_path: Path, options: list[str], said: str, written: str
) -> None:
    tap = 'if [[ $2 = --state=* ]]; then echo "state $(cat "${2#*=}")" "${@:3}" >&2; fi; echo "$@"'
    environment = fakes(tap, "cat")
    (tmp_path / "warehouse.duckdb").touch()
    found = load(environment, *options)
    assert (found.returncode, found.stderr.strip(), found.stdout) == (0, said, written)


def test_stop_reaches_the_tap_and_waits_for_the_loader(fakes: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    environment = fakes(
        'trap "exit 143" TERM; echo row; touch "$TMPDIR/ready"; while :; do sleep 0.02; done',
        'trap "" TERM; cat > "$TMPDIR/received"; touch "$TMPDIR/committed"',
    )
    process = subprocess.Popen([DEPLOY / "load.sh", "tap-personio"], env=environment)
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    assert process.wait(60) == STOPPED
    assert (tmp_path / "received").read_text() == "row\n"
    assert (tmp_path / "committed").exists()


def test_script_says_how_it_is_used(fakes: Callable[..., dict[str, str]]) -> None:
    command = [DEPLOY / "load.sh", "tap-payroll"]
    found = subprocess.run(command, env=fakes("", ""), capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "load.sh tap-personio --full-refresh" in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("schema", SCHEMAS)
def test_examples_match_their_schemas(schema: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, DEPLOY / SCHEMAS[schema]]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    "name", ["hrtaps@.service", "hrtaps@.timer", "hr-webhooks.service", "hr-webhooks-follow@.service"]
)
def test_units_are_valid(name: str, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    for unit in (*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")):  # only programs that exist are valid
        text = unit.read_text().replace("/opt/hrtaps/venv/", f"{ROOT}/.venv/").replace("/opt/hrtaps/", f"{ROOT}/")
        (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", tmp_path / name]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_examples_name_only_settings_that_exist() -> None:
    about = json.loads(subprocess.check_output([BIN / "tap-personio", "--about", "--format=json"]))
    known = {f"TAP_PERSONIO_{name.upper()}" for name in about["settings"]["properties"]}
    compose = YAML(typ="safe").load(DEPLOY / "compose.yaml")
    given = set(compose["services"]["personio"]["environment"])
    container = cron_job()["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    given |= {variable["name"] for variable in container["env"]}
    assert given
    assert given <= known


def cron_job() -> Any:
    documents = YAML(typ="safe").load_all(DEPLOY / "cronjob.yaml")
    return next(document for document in documents if document["kind"] == "CronJob")


@pytest.mark.deploy
def test_kubernetes_accepts_the_cron_job() -> None:
    command = [BIN / "kubernetes-validate", "--strict", DEPLOY / "cronjob.yaml"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.fixture(scope="module")
def wheels() -> Path:
    """The folder with all wheels."""
    subprocess.run(["make", "wheels"], cwd=ROOT, check=True, capture_output=True)
    return ROOT / "dist" / "wheels"


@pytest.mark.deploy
def test_wheels_install_without_an_index(wheels: Path, tmp_path: Path, sandbox: Sandbox) -> None:
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "pip", "install", "--quiet", "--no-index"]
    environment = {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": os.devnull, **NO_NETWORK}
    requirements = ["--find-links", wheels, "--require-hashes", "--requirement", wheels / "requirements.txt"]
    subprocess.run([*pip, *requirements], env=environment, check=True)
    subprocess.run([*pip, "--no-deps", *sorted((wheels / "own").glob("*.whl"))], env=environment, check=True)
    subprocess.run([folder / "bin" / "pip", "check"], env=environment, check=True)
    found = load(environment_of(sandbox, tmp_path / "warehouse.duckdb", folder / "bin"))
    assert found.returncode == 0, found.stderr
    assert_all_loaded(sandbox, tmp_path / "warehouse.duckdb")


class Containers:
    """Builds and runs containers with buildah and podman, in a storage of their own.

    Args:
        folder: The folder of the storage.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._storage = ["--storage-driver=vfs", f"--root={folder}/root", f"--runroot={folder}/run"]

    def build(self, wheels: Path) -> None:
        """Builds the image from a base with the distribution's packages."""
        base, tarball = self._folder / "base", self._folder / "base" / "root.tar"
        base.mkdir()
        packages = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", tarball], check=True)
        (base / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        self._bud("localhost/base", base, base / "Dockerfile")
        assert wheels.is_dir()
        self._bud("localhost/hrtaps", ROOT, DEPLOY / "Dockerfile", "--build-arg=BASE=localhost/base")

    def add(self, tag: str, folder: Path, dockerfile: str) -> None:
        """Builds an image from another one."""
        (folder / "Dockerfile").write_text(dockerfile)
        self._bud(f"localhost/{tag}", folder, folder / "Dockerfile")

    def _bud(self, tag: str, context: Path, file: Path, *options: str) -> None:
        command = ["buildah", *self._storage, "bud", "--quiet", "--isolation=chroot", "--format=docker", f"--tag={tag}"]
        found = subprocess.run(
            [*command, f"--file={file}", *options, context], capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr[-3000:]

    def run(self, *args: str, options: tuple[str, ...] = (), image: str = "hrtaps") -> subprocess.CompletedProcess[str]:
        """Runs a container with a read-only root and without capabilities."""
        limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--no-healthcheck", "--network=host"]
        locked = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
        podman = ["podman", *self._storage, "--runtime=/usr/sbin/runc", "run", "--rm"]
        command = [*podman, *limits, *locked, *options, f"localhost/{image}", *args]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    def inspect(self) -> Any:
        """The image's metadata."""
        command = ["podman", *self._storage, "image", "inspect", "localhost/hrtaps"]
        return json.loads(subprocess.check_output(command))[0]


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Containers]:
    missing = [name for name in ("buildah", "mmdebstrap", "podman", "runc") if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if os.getuid() != 0:
        pytest.skip("building the base image needs root")
    if sys.version_info[:2] != DEBIAN_PYTHON:
        pytest.skip("the wheels are for this Python, and the distribution has another")
    folder = tmp_path_factory.mktemp("containers")
    try:
        built = Containers(folder)
        built.build(request.getfixturevalue("wheels"))
        yield built
    finally:
        shutil.rmtree(folder)


@pytest.mark.deploy
def test_image_loads_with_a_read_only_root_and_no_privileges(
    containers: Containers, tmp_path: Path, sandbox: Sandbox
) -> None:
    data, secret = tmp_path / "data", tmp_path / "client_secret"
    data.mkdir()
    secret.write_text("sandbox-secret\n")
    secret.chmod(0o400)
    for path in (data, secret):
        os.chown(path, USER, USER)
    settings = settings_of(sandbox) | {"TAP_PERSONIO_CLIENT_SECRET_FILE": "/run/secrets/client_secret"}
    del settings["TAP_PERSONIO_CLIENT_SECRET"]
    options = (
        f"--volume={data}:/data",
        f"--volume={secret}:/run/secrets/client_secret:ro",
        *(f"--env={name}={value}" for name, value in settings.items()),
    )
    first = containers.run("tap-personio", options=options)
    assert first.returncode == 0, first.stderr
    assert_all_loaded(sandbox, data / "warehouse.duckdb")
    assert (data / "warehouse.duckdb").stat().st_uid == USER
    assert [path.name for path in data.iterdir()] == ["warehouse.duckdb"]
    second = containers.run("tap-personio", options=options)
    assert "persons: reading changes since" in second.stderr
    assert containers.inspect()["Size"] < MAX_BYTES


@pytest.mark.deploy
def test_image_has_a_user_and_a_health_check_that_notices_an_endless_run(containers: Containers) -> None:
    inspected = containers.inspect()
    assert inspected["User"] == f"{USER}:{USER}"
    kind, check = inspected["Healthcheck"]["Test"]
    assert kind == "CMD-SHELL"
    # One container for all: without overlays, each is a copy of the image.
    ages = ("now", "5 hours ago", "7 hours ago")
    script = "; ".join(f"touch --date='{age}' /tmp/load-started; {check}; echo $?" for age in ages)
    found = containers.run("-c", f"{script}; touch /app/new", options=("--entrypoint=/bin/sh",))
    assert found.stdout.split() == ["0", "0", "1"], found.stderr
    assert "Read-only file system" in found.stderr


@pytest.mark.deploy
def test_authority_of_the_company_can_be_added_to_the_system_of_the_image(
    containers: Containers, tmp_path: Path, sandbox: Sandbox
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "company.crt"))
    block = re.search(r"```dockerfile\n(.*?)```", (ROOT / "docs" / "how-to" / "deploy.md").read_text(), re.DOTALL)
    assert block
    containers.add("with-authority", tmp_path, block[1].replace("FROM hrtaps", "FROM localhost/hrtaps"))
    with tls_front(sandbox.url, context) as url:
        settings = settings_of(sandbox) | {"TAP_PERSONIO_API_URL": f"{url}/personio"}
        options = tuple(f"--env={name}={value}" for name, value in settings.items())
        report = containers.run("tap-personio", "--doctor", "--format=json", options=options, image="with-authority")
        other = containers.run("tap-personio", "--doctor", "--format=json", options=options)
    encryption = {"status": "ok", "detail": "the host's certificate is trusted (the system's authorities)"}
    assert json.loads(report.stdout)["connection"]["encryption"] == encryption
    assert json.loads(other.stdout)["connection"]["encryption"]["status"] == "failed"
