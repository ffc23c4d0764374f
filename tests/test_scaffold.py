"""`ganzoo new-plugin`: what it writes installs, passes its own tests, lints and trains, within two minutes."""

import shutil
import time

import pytest

from tests.installed import ROOT, Installed
from tests.support import ganzoo_command


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A new plugin, installed; the clock starts before the first command."""
    place = tmp_path_factory.mktemp("new")
    there = Installed(place)
    began = time.monotonic()
    done = there.run("ganzoo", "new-plugin", "swirly-two", cwd=place)
    assert done.returncode == 0, done.stderr
    there.install(place / "ganzoo-swirly-two")
    return there, place / "ganzoo-swirly-two", began


def test_it_is_complete(made):
    _, folder, _ = made
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        ".gitignore",
        ".github/workflows/test.yml",
        "ganzoo_swirly_two/__init__.py",
        "ganzoo_swirly_two/losses.py",
        "ganzoo_swirly_two/strategies.py",
        "ganzoo_swirly_two/recipes/swirly-two-mnist.toml",
        "tests/test_swirly_two.py",
    }
    for word in ("@name@", "@name_@", "@module@", "@Name@"):
        assert not [name for name in files if word in (folder / name).read_text()]


def test_it_trains_within_two_minutes_of_starting(made):
    there, folder, began = made
    done = there.run("ganzoo", "train", "swirly-two-mnist", "--out", folder / "runs", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 120
    done = there.run("ganzoo", "sample", f"file:{folder / 'runs'}", "--grid", "--out", folder / "samples.png")
    assert done.returncode == 0, done.stderr


def test_it_passes_its_own_tests(made):
    there, folder, _ = made
    done = there.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=folder, GANZOO_STRICT="1")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_it_lints(made):
    there, folder, _ = made
    for command in (("check",), ("format", "--check")):
        done = there.run("python", "-m", "ruff", *command, "--no-cache", ".", cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr


TYPES = """
[mypy]
strict = true
[mypy-ganzoo_swirly_two.*]
disallow_untyped_defs = false
"""


def test_its_types_are_ganzoos_and_so_are_those_of_a_plugin_with_annotations(made):
    there, folder, _ = made
    (there.place / "mypy.ini").write_text(TYPES)  # without pydantic's plugin, which an author need not have
    options = ("--config-file", there.place / "mypy.ini", "--cache-dir", there.place / "types")
    typed = shutil.copy(ROOT / "tests" / "typed_plugin.py", there.place)  # beside no other ganzoo than the wheel
    done = there.run("python", "-m", "mypy", *options, folder / "ganzoo_swirly_two", typed)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Swirl", "a plugin can't be called 'Swirl'"),
        ("a--b", "a plugin can't be called 'a--b'"),
        ("../x", "a plugin can't be called '../x'"),
        ("vanilla", "there is a plugin 'vanilla' already, of torch-ganzoo"),
        ("hinge", "plugin 'hinge' would have a loss 'hinge', and there is one already"),
        ("r1r2", "plugin 'r1r2' would have a strategy 'r1r2', and there is one already"),
        ("dcgan", "plugin 'dcgan' would have a recipe 'dcgan-mnist', and there is one already"),
        ("update", "plugin 'update' would have a class 'Update', and its code uses that word"),
        ("not-run", "plugin 'not-run' would have a class 'NotRun', and its code uses that word"),
        ("none", "plugin 'none' would have a class 'None', and its code uses that word"),
    ],
)
def test_a_name_that_it_cannot_have_is_refused(name, words, tmp_path):
    done = ganzoo_command("new-plugin", name, "--out", tmp_path / "x")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {words}")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path):
    done = ganzoo_command("new-plugin", "swirl", "--out", tmp_path)
    assert done.returncode == 2
    assert "exists; choose another folder with --out" in done.stderr
