"""Real distributions on disk: a broken one is skipped with one warning and hurts nobody."""

import json
import sys

import pytest

import ganzoo
from ganzoo.errors import PluginError
from ganzoo.known import known_packages
from ganzoo.registry import registry
from tests.support import distribution, ganzoo_command, python

FINE = """
from ganzoo import hookimpl

@hookimpl
def ganzoo_losses():
    return {"%s": "%s"}
"""
LOOK = """
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from ganzoo.registry import registry
    found = registry()
print(json.dumps({
    "plugins": {p.name: [p.distribution, p.version, p.licence, p.error, p.refused] for p in found.plugins},
    "names": found.names("loss"),
    "warnings": [str(w.message) for w in caught],
    "torch": "torch" in sys.modules,
}))
"""
OURS = {"vanilla", "conditional", "data"}


def look(*paths, **environment):
    done = python(LOOK, *paths, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_third_party_plugin_is_found_with_its_version_and_licence(tmp_path):
    distribution(tmp_path, "ganzoo-fine", "ganzoo_fine", ganzoo_fine=FINE % ("mine", "nowhere:Nothing"))
    found = look(tmp_path)
    assert found["plugins"]["fine"] == ["ganzoo-fine", "1.0", "MIT", None, []]
    assert "mine" in found["names"]
    assert not found["warnings"]
    assert not found["torch"]


BROKEN = {
    "import_error": ("import there_is_no_such_module", "ModuleNotFoundError: No module named"),
    "syntax": ("def broken(", "SyntaxError"),
    "exits": ("raise SystemExit(7)", "SystemExit: 7"),
    "raises": ("raise RuntimeError('first line\\nsecond line')", "RuntimeError: first line second line"),
    "misspelt": ((FINE % ("x", "y:Z")).replace("ganzoo_losses", "ganzoo_loses"), "unknown hook 'ganzoo_loses'"),
    "arguments": ((FINE % ("x", "y:Z")).replace("losses()", "losses(colour)"), "colour"),
    "hook_raises": ((FINE % ("x", "y:Z")).replace("return", "raise ValueError('no'); return"), "ValueError: no"),
    "hook_exits": ((FINE % ("x", "y:Z")).replace("return", "raise SystemExit; return"), "ganzoo_losses: SystemExit"),
    "hook_gives_none": ((FINE % ("x", "y:Z")).replace("return", "return None;"), "ganzoo_losses: TypeError"),
    "hook_gives_numbers": ((FINE % ("x", "y:Z")).replace('{"x"', "{3"), "ganzoo_losses: TypeError"),
    "hook_gives_nothing_behind": ((FINE % ("x", "y:Z")).replace('"y:Z"', "None"), "ganzoo_losses: TypeError"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Every kind of broken plugin at once, a good one among them and one after them."""
    folder = tmp_path_factory.mktemp("broken")
    for name, (source, _) in BROKEN.items():
        distribution(folder, f"ganzoo-{name}", f"ganzoo_{name}", **{f"ganzoo_{name}": source})
    distribution(folder, "ganzoo-fine", "ganzoo_fine", ganzoo_fine=FINE % ("mine", "nowhere:Nothing"))
    distribution(folder, "ganzoo-zebra", "ganzoo_zebra", ganzoo_zebra=FINE % ("last", "nowhere:Nothing"))
    distribution(folder, "ganzoo-gone", "ganzoo_gone")  # its module isn't there at all
    return folder


def test_broken_plugins_are_skipped_and_the_others_still_work(broken):
    found = look(broken)
    assert {"mine", "last", "hinge", "relativistic"} <= set(found["names"])
    assert "x" not in found["names"]
    for name, (_, words) in BROKEN.items():
        error = found["plugins"][name][3]
        assert words in error
        assert "\n" not in error
    assert "No module named 'ganzoo_gone'" in found["plugins"]["gone"][3]
    assert all(found["plugins"][name][3] is None for name in (*OURS, "fine", "zebra"))


def test_each_broken_plugin_warns_once_and_names_itself(broken):
    warnings = look(broken)["warnings"]
    for name in (*BROKEN, "gone"):
        mine = [line for line in warnings if f"plugin {name!r} of ganzoo-{name} 1.0 is skipped" in line]
        assert len(mine) == 1, warnings
    assert len(warnings) == len(BROKEN) + 1


def test_the_command_line_shows_skipped_plugins_and_works_all_the_same(broken):
    done = ganzoo_command("plugins", "--json", paths=[broken])
    assert done.returncode == 0, done.stderr
    shown = {plugin["name"]: plugin for plugin in json.loads(done.stdout)}
    assert shown["exits"]["error"] == "SystemExit: 7"
    assert shown["vanilla"]["error"] is None
    assert "skipped: SystemExit: 7" in ganzoo_command("plugins", paths=[broken]).stdout
    assert "cgan-mnist" in ganzoo_command("models", paths=[broken]).stdout


def test_a_failed_look_up_says_which_plugins_were_skipped(broken):
    done = ganzoo_command("train", "x-mnist", "--out", "nowhere", paths=[broken])
    assert done.returncode == 2
    assert "skipped plugins:" in done.stderr
    assert "gone (ModuleNotFoundError" in done.stderr
    assert "Traceback" not in done.stderr


def test_words_of_a_broken_plugin_are_no_markup(tmp_path):
    distribution(tmp_path, "ganzoo-odd", "ganzoo_odd", ganzoo_odd="raise ValueError('[/red] [bold]')")
    done = ganzoo_command("plugins", paths=[tmp_path])
    assert done.returncode == 0, done.stderr
    assert "[/red] [bold]" in done.stdout
    assert "[/red] [bold]" in done.stderr


@pytest.mark.parametrize(
    ("allowed", "names"), [("vanilla", {"vanilla"}), (" data , fine", {"data", "fine"}), ("", set())]
)
def test_only_the_plugins_that_are_asked_for(broken, allowed, names):
    found = look(broken, GANZOO_PLUGINS=allowed)
    assert set(found["plugins"]) == names
    assert not found["warnings"]


@pytest.mark.parametrize("name", ["exits", "hook_raises"])
def test_strict_raises_what_is_otherwise_a_warning(broken, name):
    done = ganzoo_command("models", paths=[broken], GANZOO_STRICT="1", GANZOO_PLUGINS=f"vanilla,{name}")
    assert done.returncode == 2
    assert f"plugin {name!r} of ganzoo-{name} 1.0" in done.stderr
    assert "Traceback" not in done.stderr
    assert ganzoo_command("models", paths=[broken], GANZOO_STRICT="1", GANZOO_PLUGINS="vanilla").returncode == 0


HALF = """
from ganzoo import hookimpl

@hookimpl
def ganzoo_losses():
    return {"half": "nowhere:Nothing", "hinge": "nowhere:Nothing"}

@hookimpl
def ganzoo_metrics():
    raise ValueError("not today")

@hookimpl
def ganzoo_models():
    raise ValueError("nor tomorrow")

@hookimpl
def ganzoo_training_started(run):
    raise SystemExit("still there")
"""


def test_a_plugin_one_of_whose_hooks_fails_is_skipped_as_a_whole(tmp_path):
    distribution(tmp_path, "ganzoo-half", "ganzoo_half", ganzoo_half=HALF)
    found = look(tmp_path)
    assert found["plugins"]["half"][3:] == ["ganzoo_metrics: ValueError: not today", []]
    assert "half" not in found["names"]
    assert len(found["warnings"]) == 1
    shown = {p["name"]: p for p in json.loads(ganzoo_command("plugins", "--json", paths=[tmp_path]).stdout)}
    assert (shown["half"]["provides"], shown["half"]["path"]) == ({}, "")
    code = "from ganzoo.engine.observers import Observers\nObservers().call('ganzoo_training_started', run=None)"
    done = python(code, tmp_path)
    assert (done.returncode, "still there" in done.stderr) == (0, False), done.stderr


def test_a_distribution_without_metadata_is_no_obstacle(tmp_path):
    info = tmp_path / "ganzoo_bare-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[ganzoo]\nbare = ganzoo_bare\n")
    found = look(tmp_path)
    assert "hinge" in found["names"]
    assert found["plugins"]["bare"][3]


def test_names_are_listed_without_torch():
    done = python("import sys, ganzoo\nganzoo.models()\nganzoo.recipe('cgan-mnist')\nassert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr
    done = python(
        """
        import sys
        from ganzoo.cli import main
        for arguments in (["models"], ["models", "--json"], ["plugins"], ["--help"], ["train", "--help"]):
            sys.argv = ["ganzoo", *arguments]
            try:
                main()
            except SystemExit as error:
                assert not error.code
            assert "torch" not in sys.modules, arguments
        """
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("broken", [False, True])
def test_of_two_packages_with_one_entry_point_the_first_that_works_is_used(tmp_path, broken):
    for name in "fine", "other":  # in this order, whatever that of the folders on the path is
        source = "import nothing_of_this_name" if broken and name == "fine" else FINE % (name, "nowhere:Nothing")
        files = {f"ganzoo_{name}": source}
        distribution(tmp_path, f"ganzoo-{name}", f"ganzoo_{name}", points=f"lab = ganzoo_{name}", **files)
    found = look(tmp_path)
    (warning,) = found["warnings"]
    if broken:
        assert "'lab' of ganzoo-fine 1.0 is skipped: ModuleNotFoundError" in warning
        assert "other" in found["names"]
        return
    assert warning == (
        "plugin 'lab' of ganzoo-other 1.0 is skipped: both ganzoo-fine 1.0 and ganzoo-other 1.0 have an entry point "
        "'lab', and the one of ganzoo-fine is used"
    )
    assert "fine" in found["names"]
    assert "other" not in found["names"]
    done = ganzoo_command("models", paths=[tmp_path], GANZOO_STRICT="1")
    assert done.returncode == 2
    assert done.stderr == f"error: {warning}\n"


UNMARKED = (
    FINE % ("mine", "nowhere:Nothing")
    + """
import ganzoo

def ganzoo_training_started(run):
    print("never called")

def ganzoo_models():
    return {}

ganzoo_words = ["no hook"]
"""
)


def test_hooks_without_their_mark_are_named(tmp_path):
    distribution(tmp_path, "ganzoo-lab", "ganzoo_lab", ganzoo_lab=UNMARKED)
    (warning,) = look(tmp_path)["warnings"]
    assert warning == (
        "plugin 'lab' of ganzoo-lab 1.0 has ganzoo_models, ganzoo_training_started without @ganzoo.hookimpl; an "
        "observer without it is never called"
    )
    done = ganzoo_command("models", paths=[tmp_path], GANZOO_STRICT="1")
    assert done.returncode == 2
    assert done.stderr == f"error: {warning}\n"


def test_a_name_in_letters_of_another_script_is_refused(tmp_path):
    spoof = "hіnge"  # noqa: RUF001  (a Cyrillic i)
    distribution(tmp_path, "ganzoo-spoof", "ganzoo_spoof", ganzoo_spoof=FINE % (spoof, "nowhere:Nothing"))
    found = look(tmp_path)
    assert found["plugins"]["spoof"][4] == [f"loss {spoof!r} is no name; use letters, digits and . _ -"]
    assert spoof not in found["names"]


OWN = """
from pathlib import Path
from ganzoo import hookimpl

@hookimpl
def ganzoo_losses():
    return {"hinge": "nowhere:Nothing"}

@hookimpl
def ganzoo_recipes():
    return {"own-mnist": Path(__file__).with_name("own.toml")}
"""


def test_a_recipe_whose_own_loss_was_refused_says_that_it_trains_another(tmp_path):
    distribution(tmp_path, "ganzoo-own", "ganzoo_own", ganzoo_own=OWN)
    lines = [
        'name = "own-mnist"',
        "[loss]",
        'name = "hinge"',
        "[strategy]",
        'name = "gan"',
        "[data]",
        'name = "mnist-10k"',
    ]
    lines += ["[architecture]", 'name = "mlp"', "width = 8", "[training]", "images = 64"]
    (tmp_path / "own.toml").write_text("\n".join(lines))
    done = ganzoo_command("train", "own-mnist", "--out", tmp_path / "run", "--device", "cpu", paths=[tmp_path])
    assert done.returncode == 0, done.stderr
    words = (
        "recipe 'own-mnist' doesn't train what ganzoo-own 1.0 has under that name: loss 'hinge' belongs to torch-ganzoo"
    )
    assert words in done.stderr


PARTS = """
from ganzoo import Architecture, hookimpl

class Nothing(Architecture):
    def build(self, network):
        return None

class Fails(Architecture):
    def build(self, network):
        raise KeyError("width")

@hookimpl
def ganzoo_architectures():
    return {"nothing": "ganzoo_parts:Nothing", "fails": "ganzoo_parts:Fails"}
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [("nothing", "makes NoneType of it, which is no torch module"), ("fails", "fails with KeyError: 'width'")],
)
def test_an_architecture_that_builds_no_network_is_named_with_its_package(tmp_path, monkeypatch, name, said):
    distribution(tmp_path, "ganzoo-parts", "ganzoo_parts", ganzoo_parts=PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    registry.cache_clear()
    try:
        with pytest.raises(PluginError, match=f"'{name}' of ganzoo-parts 1.0 can't build 'generator': it {said}"):
            ganzoo.build(name)
    finally:
        registry.cache_clear()
        sys.modules.pop("ganzoo_parts", None)


@pytest.mark.parametrize("package", ["torch-ganzoo", "ganzoo-collections"])
def test_what_errors_tell_people_to_install_is_what_the_packages_provide(package):
    known = known_packages()[package]
    for kind in known.keys() - {"summary"}:
        mine = [n for n in registry().names(kind) if registry().entry(kind, n).plugin.distribution == package]
        assert sorted(known[kind]) == mine
