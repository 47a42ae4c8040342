"""Runs taps behind a proxy that sends faulty responses.

A run must be exact or report that it was not, with its exit code or with a warning that names each incomplete stream.
The next run without faults, from the state that the loader committed, must load every row.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faults.faulty_responses import FAULTY_RESPONSES
from faults.pipeline_run import Mode
from faults.responders import ALWAYS, FaultyResponse
from faults.results import Outcome
from faults.testbench import TestBench
from faults.trial_environment import LOGIN_HINT, TrialEnvironment
from faults.vendors import VENDORS
from faults.verdict import FAILURES, Verdict, describe_differences

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping

    from faults.results import Options, ResultLog
    from faults.wire import Request, Response, Step

PART = "proxy"
OTHERS = 10
"""Number of streams to read in addition to the streams that the fault affects."""

LIMIT = 90.0
"""Timeout in seconds. Taps run with a `max_wait` of 3 and a `request_timeout` of 5 seconds."""

OAUTH_ENDPOINT = "POST /factorial/oauth/token"


@dataclass
class FaultInjector:
    """Sends faulty responses to some requests of one endpoint.

    Args:
        fault: The faulty response.
        endpoint: The endpoint whose requests get the fault.
        after: Number of requests to forward first.
        times: Maximum number of requests that get the fault.
    """

    fault: FaultyResponse
    endpoint: str
    after: int
    times: int
    hits: int = 0
    forwarded: bool = False
    _previous: dict[str, Response] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, forward: Callable[[], Response]) -> Iterable[Step] | None:
        """Returns the faulty response. None: forward the request."""
        if request.endpoint != self.endpoint:
            return None
        if self.fault.repeats_page:
            previous, self._previous[request.endpoint] = self._previous.get(request.endpoint), forward()
            if previous is None:
                return None
            forward = lambda: previous  # noqa: E731
        with self._lock:
            if request.number < self.after or self.hits >= self.times:
                return None
        steps = self.fault.respond(request, lambda: self._forward_and_count(forward))
        self.hits += steps is not None
        return steps

    def _forward_and_count(self, forward: Callable[[], Response]) -> Response:
        self.forwarded = True
        return forward()


@dataclass(frozen=True)
class Trial:
    """A fault, where it is injected, and the mode of the run."""

    number: int
    fault: FaultyResponse
    mode: Mode
    endpoint: str
    after: int
    times: int
    streams: tuple[str, ...]
    oauth: bool = False

    def __str__(self) -> str:
        times = "always" if self.times == ALWAYS else f"{self.times} x"
        login = ", with a login" if self.oauth else ""
        return f"{self.mode.value}{login}: {self.fault.name} ({times}, after {self.after}) at {self.endpoint}"


def run(options: Options, results: ResultLog) -> None:
    """Runs the part's trials."""
    for name in options.vendors:
        with TestBench(VENDORS[name], options.folder / name, options.seed) as bench:
            bench.build_references()
            if name == "factorial":
                _sample_tokens(bench)
            for number in options.choose_trial_numbers(len(FAULTY_RESPONSES), PART, name):
                trial = plan_trial(bench, number, options.make_rng(PART, name, number))
                if trial:
                    bench.build_references()
                    results.add_outcome(run_trial(bench, trial))


def _sample_tokens(bench: TestBench) -> None:
    """Records samples of token responses."""
    TrialEnvironment(bench, Mode.FIRST, ["teams_teams"], oauth=True).run()


def plan_trial(bench: TestBench, number: int, rng: random.Random) -> Trial | None:
    """Chooses where to inject a fault. Returns None if it applies to no recorded response."""
    fault = FAULTY_RESPONSES[number]
    mode = rng.choice(list(Mode))
    counts: Mapping[str, int] = bench.requests[mode]
    endpoints = [endpoint for endpoint in counts if _is_applicable(bench, fault, endpoint, mode)]
    if fault.tokens_only or rng.random() < 1 / 12:
        endpoints = [endpoint for endpoint in bench.proxy.samples if _is_token_endpoint(endpoint)] or endpoints
        endpoints = [endpoint for endpoint in endpoints if _is_applicable(bench, fault, endpoint, mode)]
    if not endpoints:
        return None
    endpoint = rng.choice(sorted(endpoints))
    affected = [stream for stream, path in bench.endpoints.items() if path == endpoint]
    others = rng.sample(sorted(bench.keys), min(OTHERS, len(bench.keys)))
    return Trial(
        number=number,
        fault=fault,
        mode=mode,
        endpoint=endpoint,
        after=0 if fault.repeats_page else rng.randrange(counts.get(endpoint, 1)),
        times=rng.choice(fault.times),
        streams=tuple(sorted({*affected, *others})),
        oauth=endpoint == OAUTH_ENDPOINT,
    )


def _is_token_endpoint(endpoint: str) -> bool:
    return endpoint.startswith("POST ")


def _is_applicable(bench: TestBench, fault: FaultyResponse, endpoint: str, mode: Mode) -> bool:
    sample = bench.proxy.samples.get(endpoint)
    if sample is None or (fault.tokens_only and not _is_token_endpoint(endpoint)):
        return False
    if fault.repeats_page:
        counts, first_pages = bench.requests[mode], bench.first_pages[mode]
        return counts.get(endpoint, 0) > 1 and first_pages.get(endpoint, 0) <= 1
    request, response = sample
    return fault.respond(request, lambda: response) is not None


def run_trial(bench: TestBench, trial: Trial) -> Outcome:
    """Runs the tap and the loader twice, first with the fault and then without it."""
    started = time.monotonic()
    env = TrialEnvironment(
        bench, trial.mode, trial.streams, oauth=trial.oauth, request_timeout=1 if trial.fault.is_slow else 5
    )
    injector = FaultInjector(trial.fault, trial.endpoint, trial.after, trial.times)
    bench.proxy.interceptor = injector
    try:
        result = env.run(LIMIT)
    finally:
        bench.proxy.interceptor = None
    found, detail = env.assess_run(result)
    if trial.fault.harmless and found is not Verdict.EXACT:
        found, detail = Verdict.VIOLATION, f"harmless fault, but {found.value}: {detail}"
    if not injector.hits:
        detail = "the fault was not triggered"
    if found not in FAILURES:
        rerun, differences = env.rerun_without_faults(result)
        if trial.oauth and injector.forwarded and LOGIN_HINT in rerun.log:
            # The vendor issued the next refresh token, but its response was lost.
            env.log_in_again()
            rerun, differences = env.rerun_without_faults(result)
            found = Verdict.LOGIN_NEEDED
        if differences or not rerun.succeeded:
            detail = f"first ({found.value}) {result}\n     then {rerun}\n     {describe_differences(differences)}"
            found = Verdict.NOT_RECOVERED
    seconds = time.monotonic() - started
    return Outcome(PART, bench.vendor.name, trial.number, trial.fault.group, found, str(trial), detail, seconds=seconds)
