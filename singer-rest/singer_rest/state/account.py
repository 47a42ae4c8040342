"""The vendor's account, which the state names so that rows of two accounts are not mixed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """The terms for a vendor's accounts.

    Args:
        kind: The vendor's word for an account, such as ``company``. Each stream's state has its id under this name.
        source: What leads to the account, for messages: a setting or the credential.
    """

    kind: str
    source: str

    @property
    def is_another(self) -> str:
        """The message if the state is of another account."""
        return (
            f"The state belongs to a different {self.kind} from that of {self.source}. Give each {self.kind} its own "
            "state (with Meltano: an environment, or --state-id-suffix), or run a full refresh."
        )

    @property
    def is_unknown(self) -> str:
        """The message if the account is not known, but that of the state is."""
        return (
            f"The vendor does not name the {self.kind} of {self.source}, so the state may belong to a different one. "
            "Run again later, or run a full refresh."
        )

    @property
    def is_not_recorded(self) -> str:
        """The message if neither is known."""
        return (
            f"The vendor does not name the {self.kind} of {self.source}, so the next run cannot tell whether the state "
            "belongs to the same one."
        )
