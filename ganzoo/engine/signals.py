"""The first SIGINT or SIGTERM lets the step finish; the second ends the process at once."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any


class Interrupted(BaseException):
    """A signal came in the middle of work that may be left and done again."""


class Signals:
    """While the block runs, `received` is the number of the signal that asked to stop, or None."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}
        self._breaks = False

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def breaking(self) -> Iterator[None]:
        """In the block the first signal raises Interrupted at once: measuring may take longer than a step may."""
        if self.received is not None:
            raise Interrupted
        self._breaks = True
        try:
            yield
        finally:
            self._breaks = False

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)
        self.received = number
        if self._breaks:
            raise Interrupted
