"""A Ctrl-C while things are being imported."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def leaving_at_once() -> Iterator[None]:
    """In the block a Ctrl-C ends the process with 130, unless somebody inside handles it.

    Python's own way, an exception, is lost when it comes in one of the callbacks that an import runs.
    """
    if threading.current_thread() is not threading.main_thread():  # elsewhere Python takes no handlers
        yield
        return

    def leave(*_: Any) -> None:
        os._exit(130)

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
