"""Pseudonyms: keyed, so that only who has the key can compute them from an id or an e-mail address.

They are pseudonymous data, not anonymous: whoever has the key and a list of ids can compute all pseudonyms.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import idna

from singer_rest.errors import RunError
from singer_rest.privacy.classes import EMAIL
from singer_rest.secret_settings import read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_KEY_BYTES = 32
_VERSION = "hr-taps/v1/"
_DIGEST_BYTES = 16
_FINGERPRINT_LENGTH = 4
_BASE_32_BITS = 5
MAX_CACHED = 200_000
"""Maximum number of pseudonyms of a space that are kept in memory: some 40 MB."""


class Pseudonyms:
    """Computes the pseudonyms of an account.

    Args:
        key: The secret, at least 32 bytes.
        account: What the ids belong to: the vendor, and the company if several share a key.
    """

    def __init__(self, key: bytes, account: str) -> None:
        self._key = key
        self._account = account
        self._spaces: dict[str, Space] = {}

    def space(self, name: str) -> Space:
        """Returns the pseudonyms of one kind of id: `email`, or an id space such as `employee`."""
        if name not in self._spaces:
            full_name = name if name == EMAIL else f"{self._account}/{name}"
            self._spaces[name] = Space(self._key, full_name, self.fingerprint, is_email=name == EMAIL)
        return self._spaces[name]

    @cached_property
    def fingerprint(self) -> str:
        """The first four characters of each pseudonym, by which pseudonyms of different keys can be told apart."""
        return _encode_digest(_derive_key(self._key, "fingerprint"))[:_FINGERPRINT_LENGTH]

    @property
    def account_fingerprint(self) -> str:
        """Differs between keys and between accounts, which have other pseudonyms of the same ids."""
        digest = _encode_digest(_derive_key(self._key, f"fingerprint/{self._account}"))
        return f"{self.fingerprint}{digest[:_FINGERPRINT_LENGTH]}"


class Space:
    """The pseudonyms of one kind of id."""

    def __init__(self, key: bytes, name: str, fingerprint: str, *, is_email: bool) -> None:
        self._hmac = hmac.new(_derive_key(key, name), digestmod=hashlib.sha256)
        self._fingerprint = fingerprint
        self._is_email = is_email
        self._known: dict[Any, str | None] = {}

    def of(self, value: object) -> str | None:
        """Returns the pseudonym of an id or address.

        Null, empty texts, and numbers at or below 0, which stand for nobody, stay as they are, but as text.
        """
        found: str | None = self.of_all([value])[0]
        return found

    def of_all(self, values: list[Any]) -> list[Any]:
        """Returns the pseudonyms of ids or addresses, in order."""
        known = self._known  # by ids, which are hashable
        try:
            return [known[value] for value in values]
        except KeyError:
            found: dict[Any, str | None] = {None: None}
            found |= {value: known.get(value) or self._compute_pseudonym(value) for value in {*values} - {None}}
        if len(known) + len(found) > MAX_CACHED:
            self._known = found  # not emptied: other threads may be reading it
        else:
            known.update(found)
        return [found[value] for value in values]

    def _compute_pseudonym(self, value: object) -> str:
        if isinstance(value, float | Decimal):  # an id in a column of numbers
            value = re.sub(r"\.0*$", "", f"{value:f}")
        text = normalized_email(str(value)) if self._is_email else normalized_id(str(value))
        if not text or (not self._is_email and text.startswith(("0", "-")) and _is_at_most_zero(text)):
            return text
        digest = self._hmac.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return self._fingerprint + _encode_digest(digest.digest()[:_DIGEST_BYTES])


def _is_at_most_zero(text: str) -> bool:
    return text == "0" or (text[0] == "-" and text[1:].isdigit())


def normalized_id(text: str) -> str:
    """Returns an id in the form that is hashed: without spaces around it, and UUIDs in lower case."""
    return text.strip().lower()


def normalized_email(text: str) -> str:
    """Returns an address in the form that is hashed: NFKC, lower case, the domain in ASCII."""
    found = unicodedata.normalize("NFKC", text).strip().lower()
    local, at, domain = found.rpartition("@")
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}" if at and domain else found
    except idna.IDNAError:
        return found


def _derive_key(key: bytes, info: str) -> bytes:
    """Derives the key of a purpose by HKDF with SHA-256 (RFC 5869), without a salt, for one block."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), key, "sha256")
    return hmac.digest(extracted, f"{_VERSION}{info}".encode() + b"\x01", "sha256")


def _encode_digest(digest: bytes) -> str:
    return base64.b32encode(digest).decode().rstrip("=").lower()


def load_key(config: Mapping[str, object]) -> bytes:
    """Returns the key of the settings: `privacy_key`, or the content of the file `privacy_key_file`.

    Raises:
        RunError: If there is none, or it is too short, or others can read its file.
    """
    text = read_secret(config, "privacy_key")
    if not text:
        raise RunError(
            "This privacy profile makes pseudonyms and needs a key: set `privacy_key_file` to a file that "
            "`openssl rand -base64 48 > FILE` made, or set `privacy_key`. Keep it apart from the database."
        )
    key = str(text).strip().encode()
    if len(key) < MIN_KEY_BYTES:
        raise RunError(f"The privacy key is too short: it needs at least {MIN_KEY_BYTES} bytes.")
    return key
