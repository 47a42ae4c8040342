"""Privacy profiles: what happens to the values of each protection class before they leave the tap."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from singer_rest.errors import RunError
from singer_rest.privacy.classes import CLASSES, TOP_CLASSES, UNCLASSIFIED, lookup_class
from singer_rest.privacy.path_patterns import PathPatterns

Action = Literal["keep", "drop", "pseudonym", "year", "month", "last_month", "area", "rebase"]
ACTIONS: dict[Action, str] = {
    "keep": "stays as it is",
    "drop": "is not loaded",
    "pseudonym": "becomes a pseudonym",
    "year": "becomes the first day of its year",
    "month": "becomes the first day of its month",
    "last_month": "becomes the first day of its month, unless it is the month's last day",
    "area": "is cut to its first two characters",
    "rebase": "becomes a duration from midnight: the start 00:00, the end 00:00 plus the duration",
}
"""The effect of each action, as the end of a sentence about a column."""

EVERYTHING = "everything"
_IDS = {
    "direct_id": "drop",
    "direct_id.id": "pseudonym",
    "direct_id.email": "pseudonym",
}
_LEAST: dict[str, str] = {
    "secret": "drop",
    "national_id": "drop",
    "bank": "drop",
    "file": "drop",
    "free_text": "drop",
    "special.text": "drop",
    "pay.text": "drop",
    "evaluation.text": "drop",
    UNCLASSIFIED: "drop",
}
PROFILES: dict[str, dict[str, str]] = {
    EVERYTHING: {},
    "no-pay": {**_LEAST, "pay": "drop"},
    "pseudonymous": {
        **_LEAST,
        **_IDS,
        "direct_id.number": "pseudonym",
        "special": "drop",
        "special.absence": "keep",
        "demographic": "drop",
        "demographic.birth": "year",
        "demographic.gender": "keep",
        "contact": "drop",
        "contact.postcode": "area",
        "contact.country": "keep",
        "conduct": "drop",
        "conduct.clock": "keep",
    },
    "minimal": {
        **_LEAST,
        **_IDS,
        "special": "drop",
        "pay": "drop",
        "evaluation": "drop",
        "demographic": "drop",
        "contact": "drop",
        "conduct": "drop",
        "conduct.clock.start": "rebase",
        "conduct.clock.end": "rebase",
        "personal.start": "month",
        "personal.end": "last_month",
        "personal.title": "drop",
    },
}
"""The built-in profiles: actions by class. Values of other classes are kept."""

_CLASSIFIED = re.compile(r"[^.\[]+(\.[^\[]+(\[\].*)?|(\.[^.\[]+)?\[\w+=.+\])")
_FILE_KEYS = ("extends", "actions", "classes")


@dataclass(frozen=True)
class Profile:
    """A privacy profile: the actions on the values of each class.

    Args:
        name: Its name, or that of its file.
        actions: The actions by class. The longest class that is named wins; other classes are kept.
        paths: The actions by `stream.path`, which may hold `*`. They win over those of the class, also for the fields
            of an object or list.
        classes: The user's classes by `stream.path`.
    """

    name: str
    actions: dict[str, str]
    paths: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)

    @property
    def keeps_everything(self) -> bool:
        """Whether all values stay as they are."""
        return not (self.actions or self.paths)

    @property
    def uses_pseudonyms(self) -> bool:
        """Whether a key is needed."""
        return "pseudonym" in {*self.actions.values(), *self.paths.values()}

    def action(self, stream: str, path: str, protection_class: str) -> Action:
        """Returns the action on the values at a path."""
        return self.patterns.find(stream, path) or lookup_class(protection_class, self.actions) or "keep"  # type: ignore[return-value]

    @cached_property
    def patterns(self) -> PathPatterns[str]:
        """The actions by path."""
        return PathPatterns(self.paths)

    @property
    def fingerprint(self) -> str:
        """A name that differs between profiles that treat any value differently."""
        content = json.dumps([self.actions, self.paths, self.classes], sort_keys=True)
        return f"{self.name}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def load_profile(setting: str) -> Profile:
    """Returns the profile of the setting `privacy`.

    Args:
        setting: The name of a built-in profile, or the path of a YAML file.

    Raises:
        RunError: If there is no such profile, or the file is not valid.
    """
    if setting in PROFILES:
        return Profile(setting, dict(PROFILES[setting]))
    path = Path(setting)
    if path.suffix not in {".yml", ".yaml"}:
        raise RunError(f"`privacy` is {setting!r}: use one of {', '.join(PROFILES)}, or the path of a YAML file.")
    return _make_profile(path.stem, _read_yaml(path))


def _read_yaml(path: Path) -> Any:  # noqa: ANN401 - what the user wrote
    import yaml  # noqa: PLC0415 - few runs need it

    try:
        text = path.read_text(encoding="utf-8")
        repeated = _find_repeated_key(yaml.compose(text, yaml.SafeLoader))
        content = yaml.safe_load(text)
    except OSError as error:
        raise RunError(f"The file in `privacy` cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise RunError("The file in `privacy` is not valid YAML.") from None
    if repeated is not None:  # YAML would ignore all but the last
        raise RunError(f"`{repeated}` is in the file in `privacy` more than once: keep one of them.")
    return content


def _find_repeated_key(root: Any) -> str | None:  # noqa: ANN401 - a node of YAML
    """Returns a key that the mapping, or one of its mappings, has more than once. None: there is none."""
    outer = _list_pairs(root)
    for pairs in (outer, *(_list_pairs(value) for _, value in outer)):
        keys = [str(key.value) for key, _ in pairs]
        if repeated := next((key for key in keys if keys.count(key) > 1), None):
            return repeated
    return None


def _list_pairs(node: Any) -> list[Any]:  # noqa: ANN401 - a node of YAML
    return node.value if getattr(node, "id", None) == "mapping" else []


def _make_profile(name: str, content: Any) -> Profile:  # noqa: ANN401 - what the user wrote
    if not isinstance(content, dict) or not content.keys() <= {*_FILE_KEYS}:
        raise RunError(f"The file in `privacy` must be a mapping with the keys {', '.join(_FILE_KEYS)}, as needed.")
    base = content.get("extends", EVERYTHING)
    if not isinstance(base, str) or base not in PROFILES:
        raise RunError(f"`extends` in the file in `privacy` must be one of {', '.join(PROFILES)}.")
    given, classes = content.get("actions") or {}, content.get("classes") or {}
    if not all(isinstance(part, dict) for part in (given, classes)):
        raise RunError("`actions` and `classes` in the file in `privacy` must be mappings.")
    for key, action in given.items():
        if action not in get_args(Action):
            raise RunError(f"`{key}` in the file in `privacy`: the action must be one of {', '.join(ACTIONS)}.")
        first, separator, _ = str(key).partition(".")
        if key not in CLASSES and (not separator or first in TOP_CLASSES):
            raise RunError(f"`{key}` in the file in `privacy` is neither a protection class nor a `stream.path`.")
    for key, found in classes.items():
        if not isinstance(found, str) or found not in CLASSES:
            raise RunError(f"`{key}` in the file in `privacy`: the class must be one of {', '.join(CLASSES)}.")
        if not _CLASSIFIED.fullmatch(str(key)):
            raise RunError(f"`{key}` in the file in `privacy` is neither `stream.path` nor `stream[column=value]`.")
    by_class = {key: action for key, action in given.items() if key in CLASSES}
    # A class that the file names replaces what the base says of its subclasses, too.
    inherited = {
        key: action
        for key, action in PROFILES[base].items()
        if not any(key.startswith(f"{named}.") for named in by_class)
    }
    by_path = {str(key): action for key, action in given.items() if key not in CLASSES}
    return Profile(name, {**inherited, **by_class}, by_path, {str(key): found for key, found in classes.items()})
