"""Find the installed plugins, and keep a broken one from hurting the others."""

import inspect
import os
import time
import warnings
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from ganzoo import hookspecs
from ganzoo.errors import PluginError

GROUP = "ganzoo"
FIRST_PARTY = "torch-ganzoo"


@dataclass
class Plugin:
    """An entry point of the group `ganzoo`: where it comes from and, when it is skipped, why."""

    name: str
    distribution: str
    version: str
    licence: str
    module: Any = None
    error: str | None = None
    provides: dict[str, list[str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def path(self) -> str:
        """The file that the plugin's hooks stand in; empty for a skipped one."""
        return str(getattr(self.module, "__file__", None) or "")

    @property
    def first_party(self) -> bool:
        return self.distribution == FIRST_PARTY

    def fail(self, what: str, error: BaseException | None = None) -> None:
        """Remember why it is skipped, and warn; with `GANZOO_STRICT=1` raise PluginError."""
        self.error = " ".join(what.split())
        self.warn(f"is skipped: {self.error}", error)

    def warn(self, what: str, error: BaseException | None = None) -> None:
        """Warn of it; with `GANZOO_STRICT=1` raise PluginError."""
        message = f"plugin {self.name!r} of {self} {what}"
        if os.environ.get("GANZOO_STRICT") == "1":
            raise PluginError(message) from error
        warnings.warn(message, stacklevel=4)

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".rstrip()


def find_plugins() -> tuple[pluggy.PluginManager, list[Plugin]]:
    """Load every allowed entry point by itself: `load_setuptools_entrypoints` would stop at the first broken one.

    `GANZOO_PLUGINS=a,b` allows only those (empty: none). `GANZOO_STRICT=1` raises what is otherwise a warning.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    allowed = os.environ.get("GANZOO_PLUGINS")
    names = None if allowed is None else {name.strip() for name in allowed.split(",")}
    found: list[Plugin] = []
    for point in sorted(entry_points(group=GROUP), key=_order):
        if names is None or point.name in names:
            namesake = next((plugin for plugin in found if plugin.name == point.name and plugin.error is None), None)
            found.append(_load(manager, point) if namesake is None else _left_out(point, namesake))
    return manager, found


def _order(point: EntryPoint) -> tuple[bool, str, str]:
    """First-party first, so that their names are taken when others ask for them."""
    plugin = _plugin(point)
    return not plugin.first_party, plugin.name, plugin.distribution


def _plugin(point: EntryPoint) -> Plugin:
    if point.dist is None:
        return Plugin(point.name, "unknown", "?", "unknown")
    about = point.dist.metadata.json
    licence = str(about.get("license_expression") or about.get("license") or "unknown")
    return Plugin(point.name, point.dist.name, point.dist.version, licence.splitlines()[0])


def _left_out(point: EntryPoint, namesake: Plugin) -> Plugin:
    plugin = _plugin(point)
    used = namesake.distribution
    plugin.fail(f"both {namesake} and {plugin} have an entry point {point.name!r}, and the one of {used} is used")
    return plugin


def _load(manager: pluggy.PluginManager, point: EntryPoint) -> Plugin:
    plugin = _plugin(point)
    module = None
    began = time.perf_counter()
    try:
        module = point.load()
        manager.register(module, name=point.name)
        manager.check_pending()
        plugin.module = module
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit at import too: one bad package must not end the program
        if module is not None and manager.is_registered(module):
            manager.unregister(module)  # pluggy leaves a failed plugin half registered
        plugin.fail(f"{type(error).__name__}: {error}", error)
    finally:
        plugin.seconds = time.perf_counter() - began
    unmarked = [name for name in dir(plugin.module) if _lacks_mark(manager, plugin.module, name)]
    if unmarked:
        lacks = f"has {', '.join(unmarked)} without @ganzoo.hookimpl"
        plugin.warn(f"{lacks}; an observer without it is never called")
    return plugin


def _lacks_mark(manager: pluggy.PluginManager, module: Any, name: str) -> bool:
    is_function = name.startswith(f"{GROUP}_") and inspect.isroutine(getattr(module, name))
    return is_function and manager.parse_hookimpl_opts(module, name) is None
