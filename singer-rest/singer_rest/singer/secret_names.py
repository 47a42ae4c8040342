"""Recognizes secrets by their field names. They never leave a tap, whether a schema lists them or not.

A name is a secret if it contains a token, a secret, a password, a challenge, an API key or the like, and does not only
describe one: ``access_token`` and ``passwordHash`` are secrets; ``token_type``, ``password_changed_at`` and
``has_password`` are not, nor are page tokens. A stream's `look_alikes` lists exceptions.
"""

from __future__ import annotations

import re
from functools import lru_cache

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
SECRETS = ("token", "secret", "password", "passwd", "passphrase", "passcode", "passkey", "apikey", "privatekey")
"""Words, or ends of words, that make a secret."""

WHOLE_WORD_SECRETS = frozenset({"pwd", "jwt", "otp", "totp", "bearer", "cookie", "hmac", "customheader"})
"""Words that make a secret only as a whole."""

SECRET_KEY_QUALIFIERS = frozenset(
    {"api", "private", "secret", "access", "signing", "encryption", "auth", "ssh", "shared", "master", "signature"}
)
"""Words that make a key a secret. Other keys identify records."""

SECRET_HEADER_QUALIFIERS = frozenset({"auth", "authentication", "authorization", "custom", "http"})
"""Words that make a header a secret. Other headers are titles."""

EXACT_SECRET_NAMES = frozenset({"authorization", "credential", "credentials", "basic auth", "auth value"})
"""Names that are secrets only as a whole: in longer names, people are authorized and have credentials."""

BOOLEAN_PREFIXES = frozenset(
    {"has", "is", "must", "needs", "requires", "can", "may", "should", "allow", "allows", "use", "uses"}
)
"""First words of the names of booleans."""

METADATA_SUFFIXES = frozenset(
    {
        *("at", "on", "by", "date", "dt", "time", "timestamp", "until", "expires", "expiry", "expiration", "expired"),
        *("changed", "updated", "created", "type", "types", "status", "state", "count", "length", "age", "id", "ids"),
        *("enabled", "disabled", "required", "allowed", "policy", "name", "names", "scope", "scopes", "in", "used"),
    }
)
"""Last words of names that describe a secret."""

PAGES = ("page", "next", "cursor", "continuation", "sync", "delta", "skip")
"""Tokens of these kinds only point to a page."""


@lru_cache(maxsize=16_384)
def is_secret(name: str) -> bool:
    """Whether a field's name says that it is a secret, in any naming style."""
    words = [word.lower() for word in WORD.findall(name)]
    if not words or words[0] in BOOLEAN_PREFIXES or words[-1] in METADATA_SUFFIXES:
        return False
    if words[-1] == "challenge":  # a plural, or one followed by other words, is a topic, not a secret
        return True
    return " ".join(words) in EXACT_SECRET_NAMES or any(_is_one(words, place) for place in range(len(words)))


def _is_one(words: list[str], place: int) -> bool:
    word, before = words[place].removesuffix("s"), words[place - 1] if place else ""
    if word.endswith("token"):
        return not f"{before}{word.removesuffix('token')}".endswith(PAGES)
    if word.endswith(SECRETS) or word in WHOLE_WORD_SECRETS:
        return True
    if word == "header":  # also of custom_http_headers
        return before in SECRET_HEADER_QUALIFIERS
    return word == "key" and before in SECRET_KEY_QUALIFIERS
