"""The parts of the SDK that `singer_rest.singer.sdk` replaces: review any change there before a release."""

from __future__ import annotations

import hashlib
import inspect
from typing import TYPE_CHECKING

import pytest
from singer_sdk import Stream, Tap
from singer_sdk.plugin_base import PluginBase, SingerCommand

if TYPE_CHECKING:
    from collections.abc import Callable

REPLACED: dict[Callable[..., object], str] = {
    Tap.sync_all: "e4412393757b4cdc",
    Tap.run_sync_dry_run: "da3cd8ec5cd98b13",
    Tap.load_state: "038849ff1971bf3d",
    Tap.setup_mapper: "29be842dc31d215b",
    Tap._handle_termination: "2bb79ae47769883a",
    Tap.invoke: "d84e3568823eaf23",
    Stream.sync: "6b4262dcdddf22b4",
    Stream._sync_records: "8928dc7f50e9bf57",
    Stream._generate_record_messages: "9b5f9fbcdedb7a1a",
    vars(Stream)["stream_maps"].fget: "ef24c61a5296ea49",
    Stream._check_max_record_limit: "1e2a5ba02d427833",
    PluginBase._validate_config: "0584b9e347e353fa",
    SingerCommand.invoke: "5c90869a269d566e",
}


@pytest.mark.parametrize("function", REPLACED, ids=lambda function: function.__qualname__)
def test_sdk_still_behaves_as_the_overrides_assume(function: Callable[..., object]) -> None:
    source = inspect.getsource(function)
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == REPLACED[function], (
        f"{function.__qualname__} has changed in the SDK: compare it with singer_rest/singer/sdk.py, then note its new "
        "hash"
    )
