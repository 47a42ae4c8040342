"""Whatever goes wrong, the run ends, and ends with an error."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from itertools import repeat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import Months, RestStream, RunError, TapError
from singer_rest.fetch.scheduler import Scheduler
from singer_rest.fetch.stream_fetch import StreamFetch
from singer_rest.http.rate_limits import RateLimiter
from singer_rest.http.request import Request
from singer_rest.slices.base import Slice
from singer_rest.testing import ReceivedRequest, Response, run_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STREAMS = ("kinds", "owners", "pets", "sales")


class Odd(BaseException):
    """An error that no `except Exception` catches."""


def fail_after(error: BaseException, after: int = 0) -> Callable[..., Any]:
    """Returns a function that fails after some calls that return None."""
    left = [after]

    def fail(*_: object, **__: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise error

    return fail


def on_call(target: Any, name: str, error: BaseException, number: int = 2) -> Callable[[pytest.MonkeyPatch], None]:
    """Makes a function fail from a given call on."""
    function, fail = getattr(target, name), fail_after(error, number - 1)

    def called(*args: Any, **kwargs: Any) -> Any:
        fail()
        return function(*args, **kwargs)

    return lambda monkeypatch: monkeypatch.setattr(target, name, called)


def in_the_plan(error: BaseException) -> Callable[[pytest.MonkeyPatch], None]:
    def slices(self: Any, *_: Any) -> Iterator[Any]:
        yield None
        raise error

    return lambda monkeypatch: monkeypatch.setattr(Months, "plan", slices)


PLACES: dict[str, Callable[[BaseException], Callable[[pytest.MonkeyPatch], None]]] = {
    "a task that is due": lambda error: on_call(StreamFetch, "next_ready_task", error),
    "a task that begins": lambda error: on_call(StreamFetch, "start_task", error),
    "a task that is sent again": lambda error: on_call(StreamFetch, "requeue_task", error, 1),
    "a task that is done": lambda error: on_call(StreamFetch, "finish_task", error),
    "the pages after one": lambda error: on_call(StreamFetch, "_queue_following", error),
    "leave for a request": lambda error: on_call(RateLimiter, "acquire", error),
    "what headers teach": lambda error: on_call(RateLimiter, "update", error),
    "a pause": lambda error: on_call(RateLimiter, "pause", error, 1),
    "a fetch": lambda error: on_call(RestStream, "fetch", error),
    "a decoded body": lambda error: on_call(RestStream, "decode", error),
    "the first request": lambda error: on_call(RestStream, "first_request", error),
    "the plan of the slices": in_the_plan,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("error", [RuntimeError("x"), MemoryError(), SystemExit(0), Odd()], ids=repr)
def test_unexpected_errors_fail_the_run(
    place: str,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    make_tap: Callable[..., Any],
    shop: Any,
) -> None:
    throttled = [Response({}, 429, {"Retry-After": "0"})]
    shop.before = lambda request: throttled.pop() if throttled else None
    tap = make_tap(*STREAMS, max_concurrency=2)
    PLACES[place](error)(monkeypatch)
    with pytest.raises((TapError, RuntimeError)):
        run_with_timeout(tap.sync_all)


@pytest.mark.parametrize("workers", [1, 8])
def test_error_of_a_worker_is_reported_with_its_location_and_ends_the_others(
    monkeypatch: pytest.MonkeyPatch, make_tap: Callable[..., Any], workers: int
) -> None:
    monkeypatch.setattr(StreamFetch, "finish_task", fail_after(Odd("a value")))
    tap = make_tap(*STREAMS, max_concurrency=workers)
    with pytest.raises(RunError, match=r"Unexpected Odd at .*test_endings\.py:\d+\. Please report") as raised:
        run_with_timeout(tap.sync_all)
    assert "a value" not in str(raised.value)


def threads_of(most: int) -> SimpleNamespace:
    """Simulates a system that can start a limited number of threads."""
    left = [most]

    class Thread(threading.Thread):
        def start(self) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("can't start new thread")
            super().start()

    return SimpleNamespace(Thread=Thread, Condition=threading.Condition, RLock=threading.RLock)


def test_run_fails_if_the_system_starts_no_thread(
    monkeypatch: pytest.MonkeyPatch, make_tap: Callable[..., Any]
) -> None:
    monkeypatch.setattr("singer_rest.fetch.scheduler.threading", threads_of(0))
    with pytest.raises(RunError, match="cannot start a thread"):
        run_with_timeout(make_tap("kinds").sync_all)


def test_run_continues_with_fewer_threads(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("singer_rest.fetch.scheduler.threading", threads_of(2))
    assert run_with_timeout(lambda: run("kinds", "owners")).counts() == {"kinds": 3, "owners": 3}
    assert "started only 2 of 8 threads" in caplog.text


def test_silently_ended_workers_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("singer_rest.fetch.scheduler.CHECK_SECONDS", 0.01)
    monkeypatch.setattr(Scheduler, "_run_tasks", lambda self: None)
    scheduler = Scheduler(2, RateLimiter({}))
    reading = StreamFetch(
        "kinds", iter((Slice(),)), lambda _: Request("/kinds", (), "/kinds"), fail_after(TapError("x")), "/kinds"
    )
    scheduler.add(reading)
    with pytest.raises(RunError, match="A worker ended without an error"):
        run_with_timeout(lambda: list(scheduler.read_blocking(scheduler.pages(reading))))
    scheduler.close()


def test_plan_that_never_returns_its_next_slice_fails(
    make_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Months, "plan", lambda *_: repeat(None))
    with pytest.raises(TapError, match="1 of 2 streams failed: sales"):
        run_with_timeout(make_tap("kinds", "sales").sync_all)


LIMITS = {
    "a day in seconds": {"Retry-After": "86400"},
    "a date tomorrow": {"Retry-After": formatdate(time.time() + 86_400, usegmt=True)},
    "small waits without end": {"Retry-After": "0.2"},
    "no wait at all": {},
    "an absurd one": {"Retry-After": "1e300"},
    "a reset": {"RateLimit-Reset": "80000"},
}


@pytest.mark.parametrize("headers", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.slow
def test_rate_limit_that_never_ends_fails_its_stream_only(
    run: Callable[..., Any], shop: Any, headers: dict[str, str], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    shop.before = lambda request: Response({}, status, headers) if request.query.get("cursor") == "2" else None
    state = {
        "bookmarks": {"owners": {"replication_key": "updated_at", "replication_key_value": "2026-01-01T00:00:00Z"}}
    }
    fails: list[Exception] = []
    output = run_with_timeout(lambda: run("kinds", "owners", "sales", state=state, fails=fails, max_wait=1))
    assert "2 of 3 streams failed: kinds, owners" in str(fails[0])
    assert output.counts() == {"kinds": 2, "owners": 2, "sales": 3}
    assert output.state["bookmarks"]["owners"]["replication_key_value"] == "2026-01-01T00:00:00Z"
    said = [record.getMessage() for record in caplog.records if "owners: /owners" in record.getMessage()]
    assert len(said) == 1
    assert said[0].endswith(". Records already read are kept.")
    if status == 429 or headers == LIMITS["a day in seconds"]:
        assert "`max_wait`" in said[0]


def test_long_wait_is_reported_in_hours(run: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    shop.refusals["/kinds"] = Response({}, 429, {"Retry-After": "86400"})
    fails: list[Exception] = []
    run_with_timeout(lambda: run("kinds", fails=fails))
    assert (
        "kinds: /kinds is rate-limited for 24 hours, longer than `max_wait` allows (15 minutes). Run again later, or "
        "raise `max_wait`. Records already read are kept."
    ) in caplog.text


def test_pauses_between_successful_responses_are_respected_and_fail_nothing(run: Callable[..., Any], shop: Any) -> None:
    used_up = {"RateLimit-Remaining": "0", "RateLimit-Reset": "0.1"}

    def respond(request: ReceivedRequest) -> Response | None:
        found = shop_answer(request)
        return Response(found.body, found.status, used_up)

    shop_answer = shop.respond
    shop.before = lambda request: None
    shop.respond = respond
    assert run_with_timeout(lambda: run("kinds", "owners", max_wait=30)).counts() == {"kinds": 3, "owners": 3}


@pytest.mark.parametrize("field", ["name", "deep"])
@pytest.mark.parametrize("levels", [110, 340, 700, 990, 2000])
def test_deeply_nested_record_is_emitted_with_its_depth_as_text(
    run: Callable[..., Any], shop: Any, levels: int, field: str
) -> None:
    deep = b'{"a": ' * levels + b"1" + b"}" * levels
    shop.refusals["/kinds"] = Response(b'{"data": [{"id": "1", "%s": %s}, {"id": "2"}]}' % (field.encode(), deep))
    first, second = run_with_timeout(lambda: run("kinds")).records("kinds")
    assert second == {"id": "2"}
    inner, depth = first["_extra"][field], 0
    while isinstance(inner, dict):
        inner, depth = inner["a"], depth + 1
    assert depth + str(inner).count("a") == levels


def test_endlessly_nested_values_fail_their_stream(
    run: Callable[..., Any], shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop.refusals["/kinds"] = Response(b"[" * 100_000)
    fails: list[Exception] = []
    output = run_with_timeout(lambda: run("kinds", "owners", fails=fails))
    assert "kinds: /kinds sent values that are nested too deeply" in caplog.text
    assert "Traceback" not in caplog.text
    assert output.counts() == {"owners": 3}
