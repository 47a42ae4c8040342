"""The configuration file, shared by all sub-commands."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
import msgspec.yaml

from hr_webhooks.errors import ConfigError

MAX_SECRETS = 2
"""Secrets of a vendor that are valid at the same time, so that they can be rotated."""
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FACTORIAL_TYPE = re.compile(r"[a-z0-9_]+/[a-z0-9_]+/[a-z0-9_]+")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(.*)`")
_YAML_LINE = re.compile(r"line (\d+)")
_YAML_TERMS = {
    "object": "settings such as `name: value`",
    "array": "a list such as `[a, b]`",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}

Vendor = Literal["personio", "factorial", "cornerstone"]
VENDORS: tuple[Vendor, ...] = get_args(Vendor)


class Hmac(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How Cornerstone signs the body. Its documentation does not say, so that nothing has a default.

    Attributes:
        header: The header with the signature.
        secret_file: The file with the security token.
        encoding: How the signature is written.
        over: Whether the body is signed as it is sent, or before compression.
        secret_encoding: How the security token is written.
    """

    header: str
    secret_file: str
    encoding: Literal["base64", "hex"]
    over: Literal["compressed", "plain"]
    secret_encoding: Literal["base64", "text"] = "base64"  # noqa: S105 - not a secret


class VendorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is common to the vendors.

    Attributes:
        secret_files: Files with a secret each, the newest first. One that does not exist or is empty is left out.
        secret_env: Environment variables with a secret each, the newest first.
        header: The header with the secret, if it is not the vendor's usual one.
        api: Settings of the vendor's tap, such as `client_id`, for the sub-commands that send requests to its API.
    """

    secret_files: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    header: str | None = None
    api: dict[str, Any] = {}


class PersonioConfig(VendorConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings for Personio.

    Attributes:
        events: The events to subscribe to, such as `person.created`. Empty: all.
    """

    events: tuple[str, ...] = ()


class FactorialConfig(VendorConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings for Factorial.

    Attributes:
        types: Types of subscriptions, such as `employees/employee/update`. Each has an address of its own.
    """

    types: tuple[str, ...]


class CornerstoneConfig(VendorConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings for Cornerstone.

    Attributes:
        hmac: How the body is signed. None: signatures are not checked.
    """

    hmac: Hmac | None = None


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the receiver listens.

    Attributes:
        listen: The host and port for the vendors, or for the reverse proxy.
        certificate_file: The certificate chain in PEM format, for HTTPS without a reverse proxy.
        key_file: Its private key.
        plain_http: Allow HTTP without encryption where other machines can connect, because a reverse proxy encrypts.
        status_listen: The host and port for `/health` and `/metrics`. None: there are none.
        status_token_file: The file with a token that `/metrics` requires. Needed where other machines can connect.
        max_body_bytes: The largest body as it is sent.
        max_inflated_bytes: The largest body after decompression.
        receive_seconds: The time to receive the headers of a request, and then its whole body.
        max_concurrent_requests: Requests whose bodies are received or stored at the same time.
    """

    listen: str = "127.0.0.1:8080"
    certificate_file: str | None = None
    key_file: str | None = None
    plain_http: bool = False
    status_listen: str | None = "127.0.0.1:8081"
    status_token_file: str | None = None
    max_body_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 1024 * 1024
    max_inflated_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 10 * 1024 * 1024
    receive_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    max_concurrent_requests: Annotated[int, msgspec.Meta(ge=1)] = 200


class TenantConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The vendors of one company."""

    # Not None: a vendor without settings would be left out silently.
    personio: PersonioConfig | msgspec.UnsetType = msgspec.UNSET
    factorial: FactorialConfig | msgspec.UnsetType = msgspec.UNSET
    cornerstone: CornerstoneConfig | msgspec.UnsetType = msgspec.UNSET

    def vendors(self) -> dict[Vendor, VendorConfig]:
        """Returns the settings of the vendors that are configured."""
        found: dict[Vendor, VendorConfig | msgspec.UnsetType] = {
            "personio": self.personio,
            "factorial": self.factorial,
            "cornerstone": self.cornerstone,
        }
        return {vendor: settings for vendor, settings in found.items() if settings is not msgspec.UNSET}


class Config(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The configuration file.

    Attributes:
        journal: The folder of the journal. Like all paths here, relative to the folder of the configuration file.
        public_url: The URL under which the vendors reach the receiver, such as `https://hooks.example.com`.
        address_key_file: The file with the key that addresses are made with; a former key may be its second line.
        tenants: The companies by name.
        server: How the receiver listens.
        folder: The folder of the configuration file. It is not read from the file.
    """

    journal: str
    public_url: str
    address_key_file: str
    tenants: dict[str, TenantConfig]
    server: ServerConfig = ServerConfig()
    folder: Path = Path()

    def resolve(self, name: str) -> Path:
        """Returns a path that the file names."""
        return self.folder / Path(name).expanduser()

    def pairs(self) -> list[tuple[str, str]]:
        """Returns the name of each tenant with each of its vendors."""
        return [(name, str(vendor)) for name, tenant in self.tenants.items() for vendor in tenant.vendors()]

    @property
    def journal_path(self) -> Path:
        """The folder of the journal."""
        return self.resolve(self.journal)

    @property
    def address_key_path(self) -> Path:
        """The file with the key that addresses are made with."""
        return self.resolve(self.address_key_file)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_config(path: Path) -> Config:
    """Reads and checks a configuration file. Files of secrets are not read.

    Raises:
        ConfigError: If it cannot be read or is not valid.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"There is no {path}. Make one with `hr-webhooks init`, or name it with --config.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        config = msgspec.yaml.decode(text, type=Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explain(str(error))}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} is not YAML{_find_line(str(error))}.") from None
    config.folder = path.absolute().parent
    for problem in _find_problems(config):
        raise ConfigError(f"{path}: {problem}")
    return config


def _explain(message: str) -> str:
    """Returns a message of msgspec, such as "Expected `str`, got `int` - at `$.journal`", in the words of YAML."""
    message, _, place = message.partition(" - at ")
    setting = place.rpartition("`$")[2].strip("`.").replace("tenants[...]", "tenants.NAME")
    if match := _UNKNOWN_FIELD.fullmatch(message):
        return f"`{match[1]}` is not a setting{f' of `{setting}`' if setting else ''}. Correct or remove it."
    if match := _MISSING_FIELD.fullmatch(message):
        return f"`{match[1]}` is missing{f' in `{setting}`' if setting else ''}."
    for term, words in _YAML_TERMS.items():
        message = message.replace(f"`{term}`", words)
    where = f"a name in `{setting}`" if place.startswith("`key`") else f"`{setting}`" if setting else "the file"
    return f"{where}: {message[0].lower()}{message[1:]}."


def _find_line(message: str) -> str:
    """Returns the line that a message of the YAML parser names, without what is written there."""
    found = _YAML_LINE.findall(message)
    return f" (line {found[-1]})" if found else ""


def _is_public_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        is_complete = url.scheme in {"https", "http"} and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return is_complete and not (url.query or url.fragment or url.username)


def _find_problems(config: Config) -> list[str]:
    problems = []
    if not _is_public_url(config.public_url):
        problems.append("`public_url` must be a URL such as https://hooks.example.com.")
    if not config.tenants:
        problems.append("Name at least one tenant under `tenants`.")
    for name, tenant in config.tenants.items():
        if not _TENANT.fullmatch(name):
            problems.append(
                f"{name!r} cannot be the name of a tenant: use at most 63 lower-case letters, digits, - and _."
            )
        elif not tenant.vendors():
            problems.append(f"`tenants.{name}` needs personio, factorial or cornerstone.")
        for vendor, settings in tenant.vendors().items():
            problems += [f"`tenants.{name}.{vendor}`: {problem}" for problem in _find_vendor_problems(settings)]
    return problems


def _find_vendor_problems(settings: VendorConfig) -> list[str]:
    problems = []
    number = len(settings.secret_files) + len(settings.secret_env)
    if not 1 <= number <= MAX_SECRETS:
        problems.append("name one or two secrets in `secret_files` or `secret_env`.")
    if settings.header is not None and not _HEADER.fullmatch(settings.header):
        problems.append("`header` is not the name of a header.")
    if isinstance(settings, FactorialConfig):
        if not settings.types:
            problems.append("`types` is empty.")
        problems += [
            f"{name!r} is not a type such as employees/employee/update."
            for name in settings.types
            if not _FACTORIAL_TYPE.fullmatch(name)
        ]
    if isinstance(settings, CornerstoneConfig) and settings.hmac and not _HEADER.fullmatch(settings.hmac.header):
        problems.append("`hmac.header` is not the name of a header.")
    return problems
