"""A part of a back-fill: several processes with one part each read a stream, or a tap, together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

MAX_PARTS = 100
SLICE = re.compile(r"(\d{1,3})/(\d{1,3})")


@dataclass(frozen=True, order=True)
class Part:
    """One of several parts, such as 3/8.

    Args:
        number: Its number, from 1.
        count: The number of parts.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Parses the setting `slice`.

        Raises:
            ValueError: If it names no part.
        """
        if match := SLICE.fullmatch(text.strip()):
            part = cls(int(match[1]), int(match[2]))
            if 1 <= part.number <= part.count <= MAX_PARTS:
                return part
        raise ValueError(
            f"Set `slice` to a part such as 3/8: its number, and the number of parts (at most {MAX_PARTS})."
        )

    def __str__(self) -> str:
        """Returns the setting."""
        return f"{self.number}/{self.count}"

    def takes(self, stream: str, key: int | str) -> bool:
        """Whether a slice or parent of a stream belongs to this part. Exactly one of the parts takes it.

        Args:
            stream: Name of the stream.
            key: What identifies it, whenever a process started. Consecutive numbers go to different parts.
        """
        number, text = (key, stream) if isinstance(key, int) else (0, f"{stream}/{key}")
        start = int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
        return (start + number) % self.count == self.number - 1
