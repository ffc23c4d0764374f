"""Tell the plugins that watch. One that fails is logged once and left out from then on; training goes on."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ganzoo.registry import registry

log = logging.getLogger("ganzoo")
OnProgress = Callable[[int, int, Mapping[str, float]], None]


class Observers:
    """Calls each observer by itself, on the main process."""

    def __init__(self, active: bool = True, on_progress: OnProgress | None = None, extra: Sequence[Any] = ()):
        self.active = active
        self.extra = extra  # objects with methods named after hooks
        self.on_progress = on_progress if active else None
        self._failed: set[str] = set()
        self._latest: Mapping[str, float] = {}

    def progress(self, images: int, total: int) -> None:
        """After each step: real images so far, the budget, and the latest row of the log."""
        if self.on_progress is not None:
            self.on_progress(images, total, self._latest)

    def call(self, hook: str, **arguments: Any) -> None:
        """Call every implementation of a hook; what one raises is logged once."""
        if not self.active:
            return
        self._latest = arguments.get("metrics", self._latest)
        for implementation in getattr(registry().manager.hook, hook).get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            self._tell(f"plugin {implementation.plugin_name!r}", hook, implementation.function, wanted)
        for watcher in self.extra:
            if hasattr(watcher, hook):
                self._tell(f"tracker {watcher.name!r}", hook, getattr(watcher, hook), arguments)

    def _tell(self, who: str, hook: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        if who in self._failed:
            return
        try:
            function(**arguments)
        except Exception as error:
            self._failed.add(who)
            log.warning("%s failed in %s and is left out from now on: %s", who, hook, error, exc_info=error)
