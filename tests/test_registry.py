"""Look-ups among real distributions: who gives a name, and errors that help."""

import json

import pytest

from ganzoo.errors import UnknownNameError
from ganzoo.registry import KINDS, registry
from tests.support import distribution, ganzoo_command, python

GIVES = """
from ganzoo import hookimpl

@hookimpl
def ganzoo_losses():
    return {losses}

@hookimpl
def ganzoo_recipes():
    from pathlib import Path
    return {{name: Path(path) for name, path in {recipes}.items()}}
"""
PARTS = """
import torch
from ganzoo import Loss, Strategy

class Mine(Loss):
    "A loss of mine."

class NoLoss(Strategy):
    pass

not_a_class = 3
"""


def gives(folder, name, losses, recipes=None, **files):
    source = GIVES.format(losses=losses, recipes=recipes or {})
    distribution(folder, f"ganzoo-{name}", f"ganzoo_{name}", **{f"ganzoo_{name}": source}, **files)


LOOK_ALL_UP = """
import json
from ganzoo.errors import GanzooError
from ganzoo.registry import registry
found = {}
for name in registry().names("loss"):
    try:
        found[name] = registry().get("loss", name).__module__
    except GanzooError as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""


def test_every_registered_component_can_be_imported_and_says_what_it_is():
    for kind, (_, base) in KINDS.items():
        for name in registry().names(kind):
            target = registry().get(kind, name)
            if base is not None:
                assert target.__doc__, f"{kind} {name} has no description"
                for field, about in target.Config.model_fields.items():
                    assert about.description, f"{kind} {name}: {field} has no description"


def test_an_unknown_name_gives_close_matches_and_what_exists():
    with pytest.raises(UnknownNameError) as caught:
        registry().get("loss", "wassertein")
    message = str(caught.value)
    assert message.startswith("there is no loss 'wassertein'; did you mean 'wasserstein'?; there are: hinge")
    with pytest.raises(UnknownNameError, match=r"'gan-mnist' is a recipe"):
        registry().get("model", "gan-mnist")


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory):
    """Two third parties that claim one name, one that claims a first-party name, and some faulty components."""
    folder = tmp_path_factory.mktemp("neighbours")
    recipe = folder / "same.toml"
    recipe.write_text('name = "same"\n')
    gives(folder, "one", {"same": "parts:Mine", "good": "parts:Mine"}, {"same": str(recipe)}, parts=PARTS)
    gives(folder, "two", {"same": "parts:Mine"}, {"same": str(recipe)})
    gives(folder, "greedy", {"hinge": "parts:Mine", "its-own": "parts:Mine"})
    faulty = {"gone": "nowhere:Mine", "misses": "parts:Nothing", "other": "parts:NoLoss", "number": "parts:not_a_class"}
    gives(folder, "faulty", faulty | {"exits": "exits:Mine", "senseless": 3}, exits="raise SystemExit(3)")
    return folder


@pytest.fixture(scope="module")
def losses(neighbours):
    """The module of each loss that can be had in that neighbourhood, the error of each other."""
    done = python(LOOK_ALL_UP, neighbours)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_third_parties_with_one_name_are_both_named_and_the_rest_works(losses):
    assert losses["same"].startswith("PluginError: loss 'same' is contributed by ganzoo-one 1.0 and ganzoo-two 1.0")
    assert losses["good"] == "parts"
    assert losses["relativistic"] == "ganzoo_vanilla.losses"


def test_a_clash_of_recipes_does_not_hide_the_others(neighbours):
    done = ganzoo_command("models", "--json", paths=[neighbours])
    assert done.returncode == 0, done.stderr
    listed = {item["name"]: item for item in json.loads(done.stdout)}
    assert "ganzoo-one 1.0 and ganzoo-two 1.0" in listed["same"]["summary"]
    assert listed["cgan-mnist"]["task"] == "generate"
    about = ganzoo_command("info", "loss:hinge", "--json", paths=[neighbours])
    assert about.returncode == 0, about.stderr


def test_a_first_party_name_cannot_be_taken_over(neighbours, losses):
    assert (losses["hinge"], losses["its-own"]) == ("ganzoo_vanilla.losses", "parts")
    plugins = json.loads(ganzoo_command("plugins", "--json", paths=[neighbours]).stdout)
    (greedy,) = [plugin for plugin in plugins if plugin["name"] == "greedy"]
    assert greedy["refused"] == ["loss 'hinge' belongs to torch-ganzoo"]
    assert greedy["provides"] == {"loss": ["its-own"]}


def test_a_faulty_component_names_its_distribution_and_hurts_nobody_else(losses):
    reasons = {
        "gone": "could not be imported: ModuleNotFoundError: No module named 'nowhere'",
        "misses": "could not be imported: AttributeError",
        "other": "is not a subclass of ganzoo.loss.Loss",
        "number": "is not a subclass of ganzoo.loss.Loss",
        "exits": "could not be imported: SystemExit: 3",
        "senseless": "could not be imported",
    }
    for name, reason in reasons.items():
        assert losses[name].startswith(f"PluginError: loss {name!r} of ganzoo-faulty 1.0 {reason}")
