"""The texts of the dossier in English and German."""

from __future__ import annotations

from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

import yaml

from singer_rest.privacy.classes import CLASSES
from singer_rest.privacy.profiles import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

LANGUAGES = ("en", "de")
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
}


class Texts:
    """The texts in a language.

    Args:
        language: `en` or `de`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = load_texts(language)

    def get(self, section: str, name: str, /, **values: object) -> str:
        """Returns a text with values in it. Numbers are formatted."""
        text = self._texts[section][name]
        return text.format(**{key: self.format_value(value) for key, value in values.items()}) if values else text

    def section(self, name: str) -> Mapping[str, str]:
        """Returns the texts of a section."""
        return self._texts[name]

    def format_value(self, value: object) -> str:
        """Formats a number with separators between thousands, and anything else as it is."""
        if not isinstance(value, int):
            return str(value)
        return f"{value:,}".replace(",", "." if self.language == "de" else ",")

    def format_date(self, day: date) -> str:
        """Formats a date."""
        month = MONTHS[self.language].split()[day.month - 1]
        return f"{day.day}{'.' if self.language == 'de' else ''} {month} {day.year}"

    def class_label(self, name: str) -> str:
        """Returns a protection class in words."""
        return self._texts["class_labels"][name]

    def class_labels(self, names: Iterable[str]) -> str:
        """Returns protection classes in words, separated by commas."""
        return ", ".join(map(self.class_label, names))

    def action_label(self, name: str) -> str:
        """Returns an action in words."""
        return self._texts["action_labels"][name]

    @cached_property
    def class_descriptions(self) -> Mapping[str, str]:
        """What the values of each class are."""
        return self._texts.get("class_descriptions") or CLASSES

    @cached_property
    def action_descriptions(self) -> Mapping[str, str]:
        """What each action does."""
        own = self._texts.get("action_descriptions")
        return own or {name: f"The value {text}." for name, text in ACTIONS.items()}


@cache
def load_texts(language: str) -> dict[str, dict[str, str]]:
    """Reads the texts in a language, by section and name."""
    text = (files("singer_rest.dossier") / "texts" / f"{language}.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = yaml.safe_load(text)
    return found
