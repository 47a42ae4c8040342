"""How a stream's declaration is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_rest.fetch.meanings import Meaning, no_access_reason
from singer_rest.testing import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def test_message_for_a_public_stream_names_no_permission(
    make_tap: Callable[..., Any], shop: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/kinds"] = Response({}, 403)
    tap = make_tap("kinds", "owners")
    monkeypatch.setattr(type(tap.streams["kinds"]), "permission", None)
    tap.sync_all()
    assert (
        "kinds: the vendor refuses access although this stream needs no permission (status 403 from /kinds)."
        in caplog.text
    )


def test_message_for_a_disabled_public_endpoint_names_no_permission() -> None:
    sentence = no_access_reason(Meaning.NOT_LICENSED, None, 410, "/kinds")
    assert sentence.endswith("switched it off (status 410 from /kinds).")


def test_full_read_after_a_reset_uses_a_new_conformer(make_tap: Callable[..., Any], shop: Any) -> None:
    stream = make_tap("kinds").streams["kinds"]
    conformer = stream.conformer
    stream.reset_read()
    assert stream.conformer is not conformer
