"""The privacy profile of a tap, from its settings."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_rest.errors import RunError
from singer_rest.privacy.classes import EMAIL
from singer_rest.privacy.classification import Classification, shipped_classes
from singer_rest.privacy.profiles import EVERYTHING, Profile, load_profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_rest.privacy.compiler import PrivacyCompiler
    from singer_rest.privacy.pseudonyms import Pseudonyms

STATE_KEY = "privacy"
"""The state of each stream names the profile under this key."""
_OTHER_PROFILE = (
    "The earlier runs of this state used another privacy profile or key (`privacy`, `privacy_key`), so the tables hold "
    "values that this profile treats differently. Load into a new file or schema, with a new state."
)


class TapPrivacy:
    """The privacy profile of a tap.

    Args:
        config: The tap's settings.
        vendor: The vendor, which is a part of each id space.
        package: The tap's package, which ships the classes of its columns.

    Raises:
        RunError: If the profile is not valid.
    """

    def __init__(self, config: Mapping[str, Any], vendor: str, package: str) -> None:
        self._config = config
        self._vendor = vendor
        setting = config.get("privacy")
        # An empty setting is refused: it may stand for a variable that was not set.
        self.profile: Profile = load_profile(EVERYTHING if setting is None else str(setting))
        self._package = package

    @cached_property
    def classification(self) -> Classification:
        """The protection classes of the tap's columns, which are read when they are first needed."""
        return Classification(shipped_classes(self._package), self.profile.classes)

    @property
    def is_active(self) -> bool:
        """Whether any value must be changed or dropped before it leaves the tap."""
        return not self.profile.keeps_everything

    @cached_property
    def compiler(self) -> PrivacyCompiler:
        """Compiles the profile for streams."""
        from singer_rest.privacy.compiler import PrivacyCompiler  # noqa: PLC0415 - most runs load everything

        return PrivacyCompiler(self.profile, self.classification, lambda: self.pseudonyms)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """Computes pseudonyms.

        Raises:
            RunError: If there is no valid key.
        """
        from singer_rest.privacy.pseudonyms import Pseudonyms, load_key  # noqa: PLC0415 - most runs load everything

        space = str(self._config.get("privacy_space") or "")
        return Pseudonyms(load_key(self._config), f"{self._vendor}/{space}")

    def make_pseudonyms(self, texts: Iterable[str]) -> list[str]:
        """Returns the pseudonyms of work e-mail addresses, and of ids such as `employee:123`.

        Raises:
            RunError: If a text is neither, or there is no valid key.
        """
        kinds = self.classification.spaces
        found = []
        for text in texts:
            kind, separator, person_id = text.partition(":")
            if kind not in kinds and (separator or "@" not in text):
                raise RunError(
                    "Write each as a work e-mail address, or as a kind of id and the id, such as "
                    f"{kinds[0] if kinds else 'person'}:123. The kinds are: {', '.join(kinds)}."
                )
            space = self.pseudonyms.space(kind if kind in kinds else EMAIL)
            found.append(str(space.of(person_id if kind in kinds else text)))
        return found

    @cached_property
    def fingerprint(self) -> str | None:
        """Differs between profiles, and between keys or spaces of pseudonyms. None: all values are loaded.

        Raises:
            RunError: If the profile needs a key and there is no valid one.
        """
        if not self.is_active:
            return None
        key = f"-{self.pseudonyms.account_fingerprint}" if self.profile.uses_pseudonyms else ""
        return f"{self.profile.fingerprint}{key}"

    def claim_state(self, states: Iterable[dict[str, Any]], account_keys: Iterable[str] = ()) -> bool:
        """Checks that the earlier runs used the same profile, and names it in the state of the streams.

        Args:
            states: The states of the selected streams.
            account_keys: Keys of the states that say nothing of loaded rows.

        Returns:
            Whether a state has changed.

        Raises:
            RunError: If they used another one.
        """
        changed = False
        for state in states:
            known = state.get(STATE_KEY)
            was_read = bool(state.keys() - {STATE_KEY, *account_keys})
            if known != self.fingerprint and (known or was_read):
                raise RunError(_OTHER_PROFILE)
            if known != self.fingerprint:
                state[STATE_KEY] = self.fingerprint
                changed = True
        return changed
