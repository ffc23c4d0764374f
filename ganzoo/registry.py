"""Name -> component. Names are known without importing what stands behind them."""

import functools
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ganzoo.errors import GanzooError, PluginError, UnknownNameError, meant
from ganzoo.plugins import Plugin, find_plugins

# kind -> (hook, the class that a component must be; None for files)
KINDS = {
    "architecture": ("ganzoo_architectures", "ganzoo.architecture:Architecture"),
    "loss": ("ganzoo_losses", "ganzoo.loss:Loss"),
    "strategy": ("ganzoo_strategies", "ganzoo.strategy:Strategy"),
    "regularizer": ("ganzoo_regularizers", "ganzoo.regularizer:Regularizer"),
    "dataset": ("ganzoo_datasets", "ganzoo.dataset:Dataset"),
    "features": ("ganzoo_features", "ganzoo.features:Features"),
    "metric": ("ganzoo_metrics", "ganzoo.metric:Metric"),
    "recipe": ("ganzoo_recipes", None),
    "model": ("ganzoo_models", None),
}


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
HERE = Plugin("here", "this program", "", "")  # what `register` was given is of it


@dataclass(frozen=True)
class Entry:
    """One name that a plugin contributes."""

    kind: str
    name: str
    target: Any
    plugin: Plugin


class Registry:
    """What the installed plugins contribute, and the errors that help when something is missing."""

    def __init__(self) -> None:
        self.manager, self.plugins = find_plugins()
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        for plugin in self.plugins:
            if plugin.error is None:
                self._collect(plugin)

    def _collect(self, plugin: Plugin) -> None:
        """Take all that a plugin contributes, or, where one of its hooks fails, nothing of it."""
        given = {}
        for kind, (hook, _) in KINDS.items():
            implementation = getattr(plugin.module, hook, None)
            if implementation is None:
                continue
            try:
                given[kind] = _contributions(implementation())
            except (Exception, SystemExit) as error:
                self.manager.unregister(plugin.module)
                plugin.module = None
                plugin.fail(f"{hook}: {type(error).__name__}: {error}", error)
                return
        for kind, contributed in given.items():
            for name, target in contributed.items():
                self._add(kind, name, target, plugin)

    def _add(self, kind: str, name: str, target: Any, plugin: Plugin) -> None:
        if not NAME.fullmatch(name):  # a letter of another script looks like somebody else's name
            plugin.refused.append(f"{kind} {name!r} is no name; use letters, digits and . _ -")
            return
        entries = self._entries.setdefault((kind, name), [])
        if entries and entries[0].plugin.first_party:
            plugin.refused.append(f"{kind} {name!r} belongs to {entries[0].plugin.distribution}")
            return
        entries.append(Entry(kind, name, target, plugin))
        plugin.provides.setdefault(kind, []).append(name)

    def register(self, kind: str, name: str, part: type) -> None:
        """See `ganzoo.register`."""
        base = KINDS.get(kind, ("", None))[1]
        if base is None:
            kinds = ", ".join(kind for kind, (_, base) in KINDS.items() if base)
            raise GanzooError(f"there is no kind of part {kind!r} to register; there are: {kinds}")
        if not _is_a(part, base):
            given = part.__name__ if isinstance(part, type) else f"an object of {type(part).__name__}"
            raise GanzooError(f"a {kind} is a subclass of {base.replace(':', '.')}, and {given} isn't one")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise GanzooError(f"{name!r} is no name of a part; use letters, digits and . _ -")
        installed = [entry for entry in self._entries.get((kind, name), ()) if entry.plugin is not HERE]
        if installed:
            raise GanzooError(f"{kind} {name!r} is of {installed[0].plugin}; take another name")
        self._entries[kind, name] = [Entry(kind, name, part, HERE)]

    def names(self, kind: str) -> list[str]:
        """Every name of a kind, sorted."""
        return sorted(name for k, name in self._entries if k == kind)

    def entry(self, kind: str, name: str) -> Entry:
        """The contribution behind a name. Raises UnknownNameError, or PluginError when two plugins claim it."""
        entries = self._entries.get((kind, name))
        if not entries:
            raise UnknownNameError(self._unknown(kind, name))
        if len(entries) > 1:
            claims = " and ".join(str(entry.plugin) for entry in entries)
            raise PluginError(
                f"{kind} {name!r} is contributed by {claims}; uninstall one, or set GANZOO_PLUGINS to the plugins that "
                "you need (`ganzoo plugins` lists them) without one of these"
            )
        return entries[0]

    def get(self, kind: str, name: str) -> Any:
        """The class of a component (imported now), or the file or folder of a recipe or model."""
        entry = self.entry(kind, name)
        base = KINDS[kind][1]
        if base is None or entry.plugin is HERE:
            return entry.target
        try:
            component = import_string(entry.target)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{kind} {name!r} of {entry.plugin} could not be imported: {type(error).__name__}: {error}"
            ) from error
        if not _is_a(component, base):
            raise PluginError(f"{kind} {name!r} of {entry.plugin} is not a subclass of {base.replace(':', '.')}")
        return component

    def _unknown(self, kind: str, name: str) -> str:
        names = self.names(kind)
        parts = [f"there is no {kind} {name!r}"]
        if close := meant(name, names):
            parts.append(close)
        others = [other for other in KINDS if other != kind and (other, name) in self._entries]
        if others:
            parts.append(f"({name!r} is a {others[0]})")
        parts.append(f"there are: {listing(names)}")
        skipped = [f"{plugin.name} ({plugin.error})" for plugin in self.plugins if plugin.error]
        if skipped:
            parts.append(f"skipped plugins: {'; '.join(skipped)}")
        return "; ".join(parts)


def listing(names: Iterable[str], most: int = 30) -> str:
    """Names for a sentence: at most `most` of them."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


def _contributions(given: Any) -> dict[str, Any]:
    table = dict(given)
    for name, target in table.items():
        if not isinstance(name, str) or target is None:
            raise TypeError(f"{name!r}: {target!r} is no name with its target")
    return table


def _is_a(component: Any, base: str) -> bool:
    return isinstance(component, type) and issubclass(component, import_string(base))


def import_string(target: str) -> Any:
    """`"module:Class"` -> the class."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


@functools.cache
def registry() -> Registry:
    """The registry of this process, made when first asked for."""
    return Registry()
