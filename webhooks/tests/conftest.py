"""A receiver that the tests of a file share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hr_webhooks.testing import running, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_webhooks.testing import Running


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(write_config(tmp_path_factory.mktemp("receiver"))) as started:
        yield started
