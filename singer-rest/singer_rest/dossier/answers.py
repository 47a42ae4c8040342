"""The answers that only people can give: purpose, controller, readers, retention and the like, from a YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from singer_rest.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIELDS = (
    "purpose",
    "excluded_uses",
    "subjects",
    "smallest_group",
    "readers",
    "combined_with",
    "retention",
    "controller",
    "data_protection_officer",
    "works_council",
    "recipients",
    "third_countries",
    "measures",
    "legal_basis",
    "impact_assessment",
    "need",
    "subject_access",
    "erasure",
    "backups",
    "key_custody",
    "destination",
    "version",
    "status",
    "agreement",
)
"""The keys of the file. The last three are about the dossier itself."""
SCALARS = (str, int, float)


@dataclass(frozen=True)
class Answers:
    """The answers by key. Each is a text, a list of texts, or texts by name."""

    given: Mapping[str, str | list[str] | dict[str, str]] = field(default_factory=dict)

    def get(self, name: str) -> str | list[str] | dict[str, str]:
        """Returns an answer. Empty: it is not given."""
        return self.given.get(name) or ""

    def text(self, name: str) -> str:
        """Returns an answer as one text. Empty: it is not given."""
        found = self.get(name)
        if isinstance(found, dict):
            return "; ".join(f"{key}: {text}" for key, text in found.items())
        return "; ".join(found) if isinstance(found, list) else found

    def items(self, name: str) -> list[tuple[str, str]]:
        """Returns an answer as pairs of a name and a text, which is empty if the answer has no names."""
        found = self.get(name)
        if isinstance(found, dict):
            return list(found.items())
        return [(text, "") for text in (found if isinstance(found, list) else [found]) if text]


def load_answers(path: Path | None) -> Answers:
    """Reads a file of answers.

    Raises:
        RunError: If it cannot be read, or has another form.
    """
    if path is None:
        return Answers()
    content = read_yaml(path, "--answers")
    if content is None:
        return Answers()
    if not isinstance(content, dict):
        raise RunError("The file given with --answers must be a mapping, such as `purpose: Headcount by month`.")
    given = {}
    for name, value in content.items():
        if name not in FIELDS:
            raise RunError(f"The file given with --answers has the key `{name}`: use some of {', '.join(FIELDS)}.")
        given[name] = _normalize(name, value)
    return Answers(given)


def _normalize(name: str, value: Any) -> str | list[str] | dict[str, str]:  # noqa: ANN401 - what the user wrote
    if isinstance(value, dict) and all(isinstance(part, SCALARS) or part is None for part in value.values()):
        return {str(key): _as_text(part) for key, part in value.items()}
    if isinstance(value, list) and all(isinstance(part, SCALARS) for part in value):
        return [_as_text(part) for part in value]
    if value is None or not isinstance(value, (dict, list)):
        return _as_text(value)
    raise RunError(f"`{name}` in the file given with --answers must be a text, a list of texts, or texts by name.")


def _as_text(value: Any) -> str:  # noqa: ANN401 - what the user wrote
    return "" if value is None else str(value).strip()


def read_yaml(path: Path, what: str) -> Any:  # noqa: ANN401 - what the user wrote
    """Reads a YAML file.

    Args:
        path: The file.
        what: The option or setting that names it.

    Raises:
        RunError: If it cannot be read.
    """
    import yaml  # noqa: PLC0415 - few runs need it

    try:
        return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except OSError as error:
        raise RunError(f"The file given with {what} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise RunError(f"The file given with {what} is not valid YAML.") from None
