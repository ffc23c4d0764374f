"""The plugin packages that ganzoo knows: the only ones that an error tells people to install."""

import functools
import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ganzoo.errors import GanzooError
from ganzoo.registry import HERE, listing, registry
from ganzoo.text import plain

REQUIRED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,95})(?:\s*>=\s*(\S{1,64}))?")


@functools.cache
def known_packages() -> dict[str, dict[str, Any]]:
    """Distribution name -> its summary and the names it provides, by kind. From the catalogue in the package."""
    return tomllib.loads((files("ganzoo") / "known.toml").read_text("utf-8"))


def package_of(kind: str, name: str) -> str | None:
    """The known package that provides a component."""
    return next((package for package, about in known_packages().items() if name in about.get(kind, ())), None)


def where_to_get(kind: str, name: str) -> str:
    """What to tell a person whose installation lacks a component that a stranger's file names.

    Of the file's words only the name is repeated, and only when it could be one.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,95}", name):
        return f"it names {kind}s in a way that no plugin does"
    package = package_of(kind, name)
    if package:
        return f"{kind} {name!r} comes with a plugin that isn't active here: pip install --upgrade {package}"
    return (
        f"there is no {kind} {name!r} among the installed plugins (they have {listing(registry().names(kind))}) nor in "
        "a plugin that ganzoo knows; install only what you trust: its config.json names its packages under `requires`"
    )


def another_package(kind: str, name: str, requires: Iterable[str]) -> str | None:
    """Why the installed component of this name isn't the one that a stranger's file was made with, as far as it says.

    `requires` are the file's words, `ganzoo-wgan>=0.2`. What is ganzoo's own now may have been another package's.
    """
    try:
        plugin = registry().entry(kind, name).plugin
    except GanzooError:
        return None  # two give the name, which is said where it is built
    requires = tuple(requires)
    if plugin.first_party or plugin is HERE or not requires:
        return None
    floors = _floors(requires)
    mine = canonicalize_name(plugin.distribution)
    if mine not in floors:
        named = plain(", ".join(floors), 200) or "no package"
        return (
            f"here {kind} {name!r} is of {plugin}, and the model was made with {named}; have its own package in place "
            f"of {plugin.distribution}, if you trust it"
        )
    installed, floor = _version(plugin.version), _version(floors[mine] or "")
    if installed and floor and installed < floor:
        return f"it was made with {mine} {floor}, and {plugin.version} is installed here; upgrade it"
    return None


def newer(requires: object) -> str:
    """For the end of an error: which installed package a stranger's file was made with a later version of, if any.

    Of the file's words none is repeated but a version's number.
    """
    words = [word for word in requires if isinstance(word, str)] if isinstance(requires, list | tuple) else []
    floors = _floors(words[:64])
    for plugin in registry().plugins:
        installed = _version(plugin.version)
        floor = _version(floors.get(canonicalize_name(plugin.distribution)) or "")
        if installed and floor and installed < floor:
            made = f"it was made with {plugin.distribution} {floor}, and {plugin.version} is installed here"
            return f"; {made}, which may be why: upgrade it"
    return ""


def _floors(requires: Iterable[str]) -> dict[str, str | None]:
    """The least version of each package by its canonical name; None where none is said."""
    found = [match for match in map(REQUIRED.fullmatch, requires) if match]
    return {canonicalize_name(match[1]): match[2] for match in found}


def _version(text: str) -> Version | None:
    """A version without what only one computer knows of it, `+local`."""
    try:
        return Version(Version(text).public)
    except InvalidVersion:
        return None
