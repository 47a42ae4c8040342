"""Runs one task at a time in a thread."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# The thread waits this long for a task that computes in Python between two queries. Python's default is 5 ms.
_SWITCH_SECONDS = 0.001
_INTERRUPT_SECONDS = 0.05


class Worker:
    """Runs one task at a time in a thread. The owner waits for it before the next one, and before it ends.

    Attributes:
        failed: Whether a task raised an error. Nothing must be committed afterwards.
    """

    def __init__(self) -> None:
        self._is_running = False
        self._ended = threading.Lock()
        self._error: BaseException | None = None
        self.failed = False

    def start(self, task: Callable[[], None]) -> None:
        """Runs a task in the thread. There must be no other task."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._ended = threading.Lock()
        self._ended.acquire()
        self._is_running = True
        threading.Thread(target=self._run, args=(task,), name="commit").start()

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised by `wait`
            self._error = error
            self.failed = True
        self._is_running = False
        self._ended.release()

    def wait(self) -> None:
        """Waits for the task.

        Raises:
            BaseException: The error of the task. It is raised once.
        """
        self.stop(lambda: None)
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def stop(self, interrupt: Callable[[], None]) -> None:
        """Waits for the task, and interrupts it until it ends. Its error is not raised."""
        # `Thread.join` takes a thread for ended if a signal handler raises an exception while it waits.
        while self._is_running:
            interrupt()
            self._ended.acquire(timeout=_INTERRUPT_SECONDS)
