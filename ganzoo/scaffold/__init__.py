"""`ganzoo new-plugin`: a complete plugin package, from the template beside this file."""

import keyword
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.files import staged
from ganzoo.registry import registry

NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
# template file -> its place; a leading dot and a suffix that tools look for would not survive packaging unharmed
PLACES = {
    "pyproject.toml.in": "pyproject.toml",
    "README.md.in": "README.md",
    "LICENSE.in": "LICENSE",
    "gitignore.in": ".gitignore",
    "test.yml.in": ".github/workflows/test.yml",
    "init.py.in": "@module@/__init__.py",
    "losses.py.in": "@module@/losses.py",
    "strategies.py.in": "@module@/strategies.py",
    "recipe.toml.in": "@module@/recipes/@name@-mnist.toml",
    "test_plugin.py.in": "tests/test_@name_@.py",
}


def new_plugin(name: str, folder: Path) -> list[Path]:
    """Write the package `ganzoo-NAME` into a new folder, whole or not at all. Returns its files. Raises GanzooError."""
    if not re.fullmatch(NAME, name) or len(name) > 40:
        raise GanzooError(
            f"a plugin can't be called {name!r}; use at most 40 small letters and digits, with single hyphens between"
        )
    taken = [plugin for plugin in registry().plugins if plugin.name == name]
    if taken:
        raise GanzooError(f"there is a plugin {name!r} already, of {taken[0]}; choose another name")
    for kind, part in (("loss", name), ("strategy", name), ("recipe", f"{name}-mnist")):
        if part in registry().names(kind):
            raise GanzooError(
                f"plugin {name!r} would have a {kind} {part!r}, and there is one already; choose another name"
            )
    title = _filled("@Name@", name)
    if title in _imported() or keyword.iskeyword(title):
        raise GanzooError(
            f"plugin {name!r} would have a class {title!r}, and its code uses that word; choose another name"
        )
    if folder.exists():
        raise GanzooError(f"{str(folder)!r} exists; choose another folder with --out")
    try:
        with staged(folder) as staging:
            for source, place in PLACES.items():
                target = staging / _filled(place, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(_filled(_template(source).read_text("utf-8"), name), "utf-8")
    except OSError as error:
        raise GanzooError(f"{str(folder)!r} can't be written: {error.strerror or error}") from None
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _imported() -> set[str]:
    """The names that the template's own modules import, which a class of the same name would hide."""
    lines = [
        line
        for source in PLACES
        if source.endswith(".py.in")
        for line in re.findall(r"^from \S+ import (.+)$", _template(source).read_text("utf-8"), re.M)
    ]
    return {word for line in lines for word in line.split(", ")}


def _template(name: str) -> Traversable:
    return files(__name__) / "template" / name


def _filled(text: str, name: str) -> str:
    under = name.replace("-", "_")
    title = "".join(map(str.title, name.split("-")))
    words = {"name": name, "name_": under, "module": f"ganzoo_{under}", "Name": title}
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
