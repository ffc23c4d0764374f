"""The plugin packages that ganzoo knows: the only ones that an error tells people to install."""

import difflib
import functools
import re
import tomllib
from importlib.resources import files
from typing import Any

from ganzoo.registry import listing, registry


@functools.cache
def known_packages() -> dict[str, dict[str, Any]]:
    """Distribution name -> its summary and the names it provides, by kind. From the catalogue in the package."""
    return tomllib.loads((files("ganzoo") / "known.toml").read_text())


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
    close = difflib.get_close_matches(name, registry().names(kind), n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(repr(one) for one in close)}? " if close else ""
    return (
        f"{meant}there is no {kind} {name!r} among the installed plugins (they have {listing(registry().names(kind))}) "
        "nor in a plugin that ganzoo knows; ask the model's author where it comes from, and install only what you trust"
    )
