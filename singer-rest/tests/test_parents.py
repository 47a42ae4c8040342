"""Children whose parents are gone, or may not be read, while others' arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Batches, DateWindows, Each
from singer_rest.testing import Answer, Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_rest.testing import Asked, Host

OPTIONS: dict[str, Any] = {"start_date": None, "end_date": None}


def owners(shop: Any, *ids: str) -> None:
    shop.data["/owners"] = [{"id": number, "updated_at": "2026-01-02T00:00:00Z"} for number in ids]


class Batched:
    """Pets by batches of owners; a batch with one that is gone, or may not be read, answers so as a whole."""

    def __init__(self, gone: set[str]) -> None:
        self.gone = gone
        self.asked: list[list[str]] = []

    def __call__(self, asked: Asked) -> Answer | None:
        if asked.path != "/pets":
            return None
        ids = [pair.partition("=")[2] for pair in asked.query_text.split("&") if pair.startswith("owner_ids")]
        self.asked.append(ids)
        return Answer({}, 404) if self.gone.intersection(ids) else Answer({"data": [{"id": f"p{id_}"} for id_ in ids]})


@pytest.fixture
def batches(make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, shop: Any) -> Callable[..., Batched]:
    def batches(*gone: str, size: int = 4) -> Batched:
        pets = type(make_tap().streams["pets"])
        monkeypatch.setattr(pets, "path", "/pets")
        monkeypatch.setattr(pets, "slices", Batches("owners", "owner_ids[]", size=size))
        shop.before = Batched(set(gone))
        return shop.before  # type: ignore[no-any-return]

    return batches


@pytest.mark.parametrize("workers", [1, 8])
def test_a_batch_with_a_parent_that_is_gone_is_asked_for_in_halves(
    run: Callable[..., Output], shop: Any, batches: Callable[..., Batched], workers: int, caplog: Any
) -> None:
    owners(shop, "1", "2", "3", "4", "5")
    answer = batches("2")
    output = run("pets", max_concurrency=workers, **OPTIONS)
    assert output.ids()["pets"] == ["p1", "p3", "p4", "p5"]
    assert sorted(answer.asked) == [["1"], ["1", "2"], ["1", "2", "3", "4"], ["2"], ["3", "4"], ["5"]]
    assert "pets: 1 of the owners that it walks were gone when their turn came" in caplog.text
    assert len(output.of("ACTIVATE_VERSION", "pets")) == 1


def test_a_list_that_answers_for_no_batch_may_not_be_read(
    run: Callable[..., Output], shop: Any, batches: Callable[..., Batched], caplog: Any
) -> None:
    owners(shop, "1", "2", "3", "4", "5")
    batches("1", "2", "3", "4", "5")
    output = run("kinds", "pets", **OPTIONS)
    assert "none of the 5 owners that it walks was found" in caplog.text
    assert output.of("SCHEMA", "pets") == []


def test_a_list_that_answers_for_none_of_many_parents_is_not_asked_for_all(
    run: Callable[..., Output], shop: Any, batches: Callable[..., Batched], caplog: Any
) -> None:
    ids = [str(number) for number in range(1000)]
    owners(shop, *ids)
    answer = batches(*ids, size=50)
    run("kinds", "pets", max_concurrency=1, **OPTIONS)
    assert "none of the first 100 owners that it walks was found" in caplog.text
    assert len(answer.asked) < 1000


def test_a_parent_that_is_gone_is_counted_once_whatever_it_was_asked_for(
    run: Callable[..., Output], make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, vendor: Host, caplog: Any
) -> None:
    pets = type(make_tap().streams["pets"])
    monkeypatch.setattr(pets, "path", "/pets")
    windows = DateWindows("from", "to", days=10)
    monkeypatch.setattr(pets, "slices", Each(Batches("owners", "owner_ids[]", size=1), windows))
    real = vendor.answer

    def answer(asked: Asked) -> Answer:
        if asked.path != "/pets":
            return real(asked)
        return Answer({}, 404) if asked.query["owner_ids[]"] == "2" else Answer({"data": [{"id": "a"}]})

    vendor.answer = answer
    run("pets", start_date="2026-01-01", end_date="2026-01-31")
    assert "pets: 1 of the owners" in caplog.text
