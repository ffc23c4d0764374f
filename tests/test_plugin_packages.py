"""Plugin packages as people install them: wheels, pip, an environment of their own, and the `ganzoo` command."""

import json

import pytest

from tests.benchmarks.extending import table
from tests.installed import PACKAGES, Installed

SOUND = "conditional", "data", "vanilla", "wave"
ERRORS = {
    "importless": "ModuleNotFoundError: No module named 'there_is_no_such_module'",
    "misspelt": "PluginValidationError: unknown hook 'ganzoo_loses' in plugin",
    "newer": "PluginValidationError: Plugin 'newer' for hook 'ganzoo_losses' hookimpl definition: "
    "ganzoo_losses(colour) Argument(s) {'colour'} are declared in the hookimpl but can not be found in the hookspec",
    "exits": "SystemExit: 3",
}


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("there"), *sorted(p for p in PACKAGES.iterdir() if p.is_dir()))


@pytest.fixture(scope="module")
def listed(there):
    done = there.run("ganzoo", "plugins", "--json")
    assert done.returncode == 0, done.stderr
    return {plugin["name"]: plugin for plugin in json.loads(done.stdout)}, done.stderr


def test_it_is_the_wheel_that_runs(there):
    done = there.run("python", "-c", "import ganzoo, ganzoo_wave; print(ganzoo.__file__, ganzoo_wave.__file__)")
    assert all(path.startswith(str(there.place)) for path in done.stdout.split())


def test_every_plugin_is_listed_with_distribution_version_licence_and_what_it_provides(listed):
    plugins, _ = listed
    wave = plugins["wave"]
    assert (wave["distribution"], wave["version"], wave["licence"]) == ("ganzoo-wave", "0.4", "MIT")
    assert wave["provides"] == {
        "architecture": ["wave"],
        "loss": ["wave"],
        "strategy": ["wave"],
        "recipe": ["wave-mnist"],
        "model": ["wave-mnist"],
    }
    assert plugins["vanilla"]["licence"] == "Apache-2.0"


@pytest.mark.parametrize("name", ERRORS)
def test_a_broken_one_is_skipped_with_one_warning_and_its_error(name, listed):
    plugins, warnings = listed
    assert plugins[name]["error"].startswith(ERRORS[name])
    line = f"warning: plugin '{name}' of ganzoo-{name} 1.0 is skipped: {ERRORS[name]}"
    assert sum(found.startswith(line) for found in warnings.splitlines()) == 1, warnings


def test_the_others_are_not_skipped_and_say_nothing(listed):
    plugins, warnings = listed
    assert {name for name, plugin in plugins.items() if plugin["error"]} == set(ERRORS)
    assert len(warnings.splitlines()) == len(ERRORS)


def test_a_slow_one_is_measured(listed):
    plugins, _ = listed
    assert plugins["slow"]["seconds"] > 1.5
    assert max(plugin["seconds"] for name, plugin in plugins.items() if name != "slow") < 1.5


def test_a_first_party_name_cannot_be_taken_over(there, listed):
    plugins, _ = listed
    assert plugins["thief"]["refused"] == ["loss 'hinge' belongs to torch-ganzoo"]
    done = there.run("ganzoo", "info", "loss:hinge", "--json", plugins=("vanilla", "thief"))
    assert json.loads(done.stdout)[0]["plugin"].startswith("torch-ganzoo ")


def test_two_that_give_one_name_are_both_named_at_look_up(there):
    done = there.run("ganzoo", "info", "loss:wave", plugins=(*SOUND, "twin"))
    assert done.returncode == 2
    assert done.stderr == (
        "error: loss 'wave' is contributed by ganzoo-twin 1.0 and ganzoo-wave 0.4; uninstall one, or set "
        "GANZOO_PLUGINS to the plugins that you need (`ganzoo plugins` lists them) without one of these\n"
    )
    assert "(loss of ganzoo-wave 0.4, MIT)" in there.run("ganzoo", "info", "loss:wave", plugins=SOUND).stdout


def test_a_part_that_fails_on_first_use_fails_alone(there):
    done = there.run("ganzoo", "info", "loss:late", plugins=(*SOUND, "late"))
    assert done.returncode == 2
    assert done.stderr == (
        "error: loss 'late' of ganzoo-late 2.3 could not be imported: OSError: libwave.so.3 is missing\n"
    )
    done = there.run("ganzoo", "models", "--json", plugins=(*SOUND, "late"))
    assert done.returncode == 0
    assert "wave-mnist" in done.stdout


def test_a_failed_look_up_says_which_were_skipped(there):
    done = there.run("ganzoo", "train", "wawe-mnist", "--out", "nowhere", plugins=(*SOUND, "exits", "importless"))
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert error.startswith("error: there is no recipe 'wawe-mnist'; did you mean 'wave-mnist'")
    assert error.endswith(f"skipped plugins: exits ({ERRORS['exits']}); importless ({ERRORS['importless']})")


@pytest.mark.parametrize("name", ERRORS)
def test_strict_raises(name, there):
    done = there.run("ganzoo", "models", plugins=("vanilla", name), GANZOO_STRICT="1")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: plugin '{name}' of ganzoo-{name} 1.0 is skipped: {ERRORS[name]}")
    assert len(done.stderr.splitlines()) == 1


def test_none_are_loaded_when_none_are_allowed(there):
    done = there.run("ganzoo", "plugins", "--json", plugins=())
    assert json.loads(done.stdout) == []
    assert not done.stderr


def test_a_third_partys_model_is_ready_and_its_recipe_trains_while_an_observer_fails(there, tmp_path):
    chosen = (*SOUND, "watcher")
    done = there.run("ganzoo", "sample", "wave-mnist", "--grid", "--out", tmp_path / "waves.png", plugins=chosen)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "waves.png").stat().st_size > 1000
    short = ("--set", "training.images=640", "--set", "training.log_every=128", "--device", "cpu")
    done = there.run("ganzoo", "train", "wave-mnist", "--out", tmp_path / "run", *short, plugins=chosen)
    assert done.returncode == 0, done.stderr
    said = "plugin 'watcher' failed in ganzoo_metrics_logged and is left out from now on: nobody listens at step 2"
    assert done.stderr.count(said) == 1
    assert done.stderr.count("'watcher'") == 1
    (config,) = tmp_path.glob("run/exports/*/config.json")
    requires = json.loads(config.read_text())["requires"]
    assert any(line.startswith("ganzoo-wave>=0.4") for line in requires)
    assert any(line.startswith("torch-ganzoo>=") for line in requires)
    done = there.run(
        "ganzoo", "sample", f"file:{tmp_path / 'run'}", "--out", tmp_path / "x", plugins=("data", "vanilla")
    )
    assert done.returncode == 2
    assert "'wave'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_contract_kit_runs_as_a_pytest_plugin(there, tmp_path):
    command = ("python", "-m", "pytest", "-p", "no:cacheprovider", "-rs", "--ganzoo-plugin", "wave", tmp_path)
    done = there.run(*command, plugins=SOUND, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "it is unconditional" in done.stdout  # a check that did not run says so
    done = there.run(*command[:-2], "importless", tmp_path, plugins=("importless",), cwd=tmp_path)
    assert done.returncode == 1
    assert "plugin 'importless' is skipped (ModuleNotFoundError" in done.stdout
    done = there.run(*command[:-2], "wavy", tmp_path, plugins=SOUND, cwd=tmp_path)
    assert done.returncode == 4
    assert "there is no plugin 'wavy' (is its package installed?)" in done.stderr + done.stdout


def test_what_extending_costs_is_what_the_page_says():
    page = (PACKAGES.parents[1] / "docs" / "write-a-plugin.md").read_text()
    assert table() in page
    assert table().count("| 0 |") == 3  # not a line in ganzoo
