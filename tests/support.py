"""What the tests share: tiny recipes of the real parts, and real distributions on disk for the plugin loader."""

import functools
import io
import json
import os
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import ganzoo
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from ganzoo.testing.smallest import least

# what is said of a folder by such a name; a path that is asked whether it exists fails of it before Python 3.14
TOO_LONG = "can't be read: File name too long" if sys.version_info < (3, 14) else "there is no folder"


def tiny(name, **changes):
    """A registered recipe with networks and batches as small as they go, and a budget of two steps."""
    return smallest(name).changed(changes)


@functools.cache
def smallest(name):
    recipe = ganzoo.recipe(name)
    tables = {}
    for place in ("architecture", "strategy"):
        part = getattr(recipe, place)
        tables[place] = least(registry().get(place, part.name).Config)
    tables["training"] = {"batch_size": 4, "images": 4}
    recipe = recipe.changed(**tables, start_from=None)
    return recipe.changed({"training.images": 2 * images_of_a_step(recipe)})


def images_of_a_step(recipe):
    """Real images that one step of the recipe draws, counted without the engine."""
    parts = resolve(recipe)
    size, drawn = recipe.training.batch_size, 0

    def batches():
        nonlocal drawn
        while True:
            drawn += size
            yield parts.dataset.read(parts.columns, 0, drawn - size, drawn)

    nets = type("Nets", (), {name: parts.architecture.build(name) for name in parts.strategy.networks})
    for _ in parts.strategy.step(nets, batches()):
        pass
    return drawn


def distribution(folder, name, module, *, version="1.0", points=None, **files):
    """A real installed distribution, `name` with one entry point to `module`; `files` are its modules' sources."""
    for stem, source in files.items():
        (folder / f"{stem}.py").write_text(textwrap.dedent(source))
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n")
    lines = points or f"{name.removeprefix('ganzoo-')} = {module}"
    (info / "entry_points.txt").write_text(f"[ganzoo]\n{lines}\n")


def archive(path, members):
    """A tar of (name, bytes)."""
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))


def python(code, *paths, **environment):
    """Run code in a fresh interpreter that sees the distributions in `paths`."""
    return _run([sys.executable, "-c", textwrap.dedent(code)], paths, environment)


def ganzoo_command(*arguments, paths=(), **environment):
    """Run the command line in a process of its own."""
    return _run([sys.executable, "-m", "ganzoo", *map(str, arguments)], paths, environment)


def environment(paths=(), **more):
    """The variables of a quick, quiet child process."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith("GANZOO_")}
    root = str(Path(ganzoo.__file__).parents[1])
    path = os.pathsep.join([*map(str, paths), root, os.environ.get("PYTHONPATH", "")])
    return keep | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"} | more


def _run(command, paths, more):
    return subprocess.run(
        command, env=environment(paths, **more), capture_output=True, text=True, timeout=120, check=False
    )


def contents(folder):
    """The bytes of each file below a folder, by its path there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def load(folder):
    return ganzoo.load(f"file:{folder}", device="cpu")


def edit(folder, **changes):
    """Change config.json; a dotted path reaches into tables."""
    config = json.loads((folder / "config.json").read_text())
    for path, value in changes.items():
        table = config
        *parents, last = path.split("__")
        for parent in parents:
            table = table[parent]
        table[last] = value
    (folder / "config.json").write_text(json.dumps(config))
