"""Checks the state and the locks, in Airflow's environment: `python - PORT < airflow_store.py`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from hr_pipeline.store import Database, LockedError, Store, application_name

DATABASE = Database("127.0.0.1", int(sys.argv[1]), "hr", "not checked", "postgres")
ONE, TWO = {"replication_key_value": "2026-01-01"}, {"replication_key_value": "2026-01-02"}


def session(run: str = "run-1", part: str = "") -> Store:
    store = Store(DATABASE, "checked", "tap-personio", run, part)  # a tenant of its own: others are loaded
    store.prepare("checked_tap_personio")
    return store


@contextmanager
def raises(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def locks_exclude_each_other_unless_shared() -> None:
    with session() as first, session() as second, session() as third:
        first.lock("people", 1, shared=True)
        second.lock("people", 1, shared=True)
        third.lock("time", 1)
        with raises(LockedError):
            third.lock("people", 1)
    with session() as fourth:  # sessions that have ended hold none
        fourth.lock("people", 1)


def state_is_kept_by_stream() -> None:
    with session() as store:
        store.save({"bookmarks": {"persons": ONE, "absences": ONE}})
    with session("run-2") as store:  # another group
        store.save({"bookmarks": {"persons": TWO}})
        assert store.read(this_run_only=False) == {"bookmarks": {"persons": TWO, "absences": ONE}}
        assert store.read(this_run_only=True) == {"bookmarks": {"persons": TWO}}


def parts_have_states_of_their_own() -> None:
    for run, part, bookmark in (
        ("run-3", "people/1/2", TWO),
        ("run-3", "people/2/2", TWO),
        ("run-3", "time/1/2", ONE),
        ("run-4", "people/1/1", ONE),
        ("run-4", "people/1/2", ONE),
    ):
        with session(run, part) as store:
            assert store.read(this_run_only=True) == {"bookmarks": {}}
            store.save({"bookmarks": {"persons": bookmark}})
    with session("run-4") as store:
        store.forget_parts("people")
        assert store.read_parts("people") == [{"bookmarks": {"persons": ONE}}] * 2
    with session("run-3") as store:
        assert store.read_parts("people") == []
        assert store.read_parts("time") == [{"bookmarks": {"persons": ONE}}]


def without_the_lock_no_state_is_saved() -> None:
    with session() as store, connect() as other:
        store.lock("people", 1)
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hrtaps'")
        with raises(psycopg.OperationalError):
            store.save({"bookmarks": {"persons": {"replication_key_value": "lost"}}})
    with session() as store:
        assert store.read(this_run_only=False)["bookmarks"]["persons"] == TWO


def loaders_of_earlier_tasks_are_ended() -> None:
    whole, parts = application_name("people", ""), [application_name("people", part) for part in ("1/10", "1/1")]
    with session() as store, connect(application_name=parts[0]) as one, connect(application_name=parts[1]) as other:
        store.end_loaders(parts[1])
        with raises(psycopg.OperationalError):
            other.execute("SELECT 1")
        one.execute("SELECT 1")
        store.end_loaders(whole)
        with raises(psycopg.OperationalError):
            one.execute("SELECT 1")


def connect(**options: str) -> psycopg.Connection:
    where = f"host=127.0.0.1 port={DATABASE.port} user=hr dbname=postgres"
    return psycopg.connect(where, autocommit=True, **options)


CHECKS: tuple[Callable[[], None], ...] = (
    locks_exclude_each_other_unless_shared,
    state_is_kept_by_stream,
    parts_have_states_of_their_own,
    without_the_lock_no_state_is_saved,
    loaders_of_earlier_tasks_are_ended,
)
for check in CHECKS:
    check()
    sys.stdout.write(f"{check.__name__}\n")
