"""Recipes: every mistake of a file in one message, and round trips that lose nothing."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ganzoo
from ganzoo.errors import GanzooError, RecipeError, UnknownNameError
from ganzoo.recipes import Recipe
from ganzoo.registry import registry

FIVE_MISTAKES = """
name = "mine"
[architecture]
name = "mlp"
width = "wide"
[loss]
name = "hing"
[strategy]
name = "wgan-gp"
critic_steps = 0
[data]
name = "mnist-10k"
split = "all"
[training]
images = 1000
batch_size = -1
"""


def minimal(**tables):
    return {
        "name": "mine",
        "architecture": {"name": "mlp"},
        "loss": {"name": "hinge"},
        "strategy": {"name": "gan"},
        "data": {"name": "mnist-10k"},
        "training": {"images": 1000},
    } | tables


def mistakes(source):
    with pytest.raises(RecipeError) as caught:
        ganzoo.recipe(source)
    assert str(caught.value).startswith("recipe ")
    return caught.value.mistakes


def test_a_file_with_five_mistakes_lists_all_five_with_their_places(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(FIVE_MISTAKES)
    found = mistakes(file)
    assert len(found) == 5, found
    assert {line.split(":")[0] for line in found} == {
        "training.batch_size",
        "architecture.width",
        "loss.name",
        "strategy.critic_steps",
        "data.split",
    }
    (loss,) = [line for line in found if line.startswith("loss")]
    assert "did you mean 'hinge'" in loss
    with pytest.raises(RecipeError, match=r"has 5 mistakes"):
        ganzoo.recipe(str(file))


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        ({"colour": 1}, "colour"),
        ({"schema": 2}, "schema"),
        ({"name": "../x"}, "name"),
        ({"task": "paint"}, "task"),
        ({"architecture": {}}, "architecture.name"),
        ({"architecture": {"name": ""}}, "architecture.name"),
        ({"architecture": {"name": "x" * 97}}, "architecture.name"),
        ({"architecture": 3}, "architecture"),
        ({"data": {"name": "mnist-10k", "conditions": "label"}}, "data.conditions"),
        ({"training": {}}, "training.images"),
        ({"training": {"images": 0}}, "training.images"),
        ({"training": {"images": 8, "batch_size": 10, "accumulate": 4}}, "training.batch_size"),
        ({"training": {"images": 8, "precision": "fp16"}}, "training.precision"),
        ({"training": {"images": 8, "optimizer": {"lr": float("nan")}}}, "training.optimizer.lr"),
        ({"training": {"images": 8, "optimizer": {"betas": [0.5, 1.0]}}}, "training.optimizer.betas"),
        ({"training": {"images": 8, "optimizer": {"learning_rate": 1}}}, "training.optimizer.learning_rate"),
        ({"training": {"images": 8, "optimizer": {"generator": {"lr": -1}}}}, "training.optimizer.generator.lr"),
        ({"training": {"images": 8, "optimizer": {"generator": {"rl": 1}}}}, "training.optimizer.generator.rl"),
        ({"training": {"images": 8, "ema": {"generator": {"half_life": 0}}}}, "training.ema.generator.half_life"),
    ],
)
def test_a_mistake_in_the_recipes_own_tables_has_its_place(tables, place):
    (line,) = mistakes(minimal(**tables))
    assert line.startswith(f"{place}: "), line
    assert "\n" not in line


def test_every_mistake_of_an_override_is_listed():
    optimizer = {"generator": {"lr": -1, "eps": 0}, "name": "adam"}
    found = mistakes(minimal(training={"images": 8, "optimizer": optimizer}))
    assert [line.split(":")[0] for line in found] == [
        "training.optimizer.generator.lr",
        "training.optimizer.generator.eps",
    ]


def test_what_the_data_would_fill_in_is_no_mistake_of_a_file_with_others():
    (line,) = mistakes(minimal(training={"images": 0}))  # the mlp's size and channels come from the data
    assert line.startswith("training.images")


@pytest.mark.parametrize("text", [b"name = ", b"\xff\xfe", b"a = " + b"[" * 5000, b"a = " + b"9" * 5000])
def test_a_file_that_is_not_toml_says_so(tmp_path, text):
    file = tmp_path / "mine.toml"
    file.write_bytes(text)
    (line,) = mistakes(file)
    assert line.startswith("this is not TOML")


def test_a_missing_file_and_an_unknown_recipe_say_what_to_do(tmp_path):
    with pytest.raises(GanzooError, match=r"no recipe file .*`ganzoo models`"):
        ganzoo.recipe(tmp_path / "mine.toml")
    with pytest.raises(UnknownNameError, match=r"no recipe 'cgan-mnits'; did you mean 'cgan-mnist'"):
        ganzoo.recipe("cgan-mnits")
    for nothing in (None, 3):
        with pytest.raises(UnknownNameError, match=f"no recipe '{nothing}'"):
            ganzoo.recipe(nothing)


@pytest.mark.parametrize("name", registry().names("recipe"))
def test_a_registered_recipe_round_trips(name):
    recipe = ganzoo.recipe(name)
    assert recipe.name == name
    assert recipe.summary
    assert Recipe.parse(json.loads(json.dumps(recipe.tables()))) == recipe
    assert ganzoo.recipe(recipe) is recipe


def test_changed_is_a_checked_copy():
    recipe = ganzoo.recipe("wgan-gp-mnist")
    other = recipe.changed({"strategy.critic_steps": 3, "training.optimizer.discriminator.lr": 1e-3})
    assert other.strategy.settings["critic_steps"] == 3
    assert other.training.optimizer.of("discriminator").lr == 1e-3
    assert other.training.optimizer.of("discriminator").betas == recipe.training.optimizer.betas
    assert other.training.optimizer.of("generator") == recipe.training.optimizer.of("generator")
    assert recipe.strategy.settings["critic_steps"] == 5
    merged = recipe.changed(training={"images": 7})
    assert (merged.training.images, merged.training.batch_size) == (7, recipe.training.batch_size)


def test_numbers_of_other_libraries_and_paths_are_settings(tmp_path):
    recipe = ganzoo.recipe("gan-mnist").changed({"training.images": np.int64(7), "architecture.width": np.uint8(16)})
    assert (recipe.training.images, recipe.architecture.settings["width"]) == (7, 16)
    assert json.loads(json.dumps(recipe.tables())) == recipe.tables()
    assert recipe.changed(data={"path": tmp_path}).data.settings["path"] == str(tmp_path)
    assert ganzoo.build("mlp", size=np.int64(8), channels=np.int32(1)).latent(2).shape[0] == 2
    with pytest.raises(RecipeError, match="is no value for a setting"):
        recipe.changed({"training.deterministic": np.True_})


@pytest.mark.parametrize("name", [None, 3, "dcgn", ""])
def test_building_what_is_no_architecture_is_said(name):
    with pytest.raises(RecipeError, match="architecture"):
        ganzoo.build(name)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"training.images": 0}, "training.images"),
        ({"trianing.images": 1}, "trianing"),
        ({"name.x": 1}, "name.x"),
        ({"training.images.x": 1}, "training.images.x"),
    ],
)
def test_a_wrong_change_has_its_place(changes, place):
    with pytest.raises(RecipeError) as caught:
        ganzoo.recipe("gan-mnist").changed(changes)
    assert [line.split(":")[0] for line in caught.value.mistakes] == [place]


def test_identity_is_what_makes_two_runs_the_same_work():
    recipe = ganzoo.recipe("gan-mnist")
    free = {"training.images": 9, "training.log_every": 9, "training.keep": 9, "summary": "another"}
    assert recipe.changed(free).identity() == recipe.identity()
    assert recipe.changed(observers={"watcher": {"every": 3}}).identity() == recipe.identity()
    for path, value in {"training.seed": 1, "architecture.width": 8, "training.batch_size": 32}.items():
        assert recipe.changed({path: value}).identity() != recipe.identity()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
PLACES = st.sampled_from(
    [
        "schema",
        "name",
        "task",
        "summary",
        "start_from",
        "architecture",
        "architecture.name",
        "architecture.width",
        "loss",
        "loss.name",
        "strategy",
        "strategy.name",
        "strategy.version",
        "data",
        "data.name",
        "data.conditions",
        "data.split",
        "training",
        "training.images",
        "training.batch_size",
        "training.seed",
        "training.optimizer",
        "training.optimizer.lr",
        "training.optimizer.betas",
        "training.optimizer.generator",
        "training.optimizer.generator.lr",
        "training.ema",
        "training.ema.generator",
        "training.freeze",
        "observers",
        "observers.watcher",
        "other",
        "version",
    ]
)


def changed(tables, path, value):
    *parents, last = path.split(".")
    for parent in parents:
        tables = tables.setdefault(parent, {})
        if not isinstance(tables, dict):
            return
    tables[last] = value


@given(st.lists(st.tuples(PLACES, VALUES), max_size=3))
@example([("training", {"\n": None})])
def test_any_mapping_is_a_recipe_or_a_recipe_error(changes):
    tables = minimal()
    for path, value in changes:
        changed(tables, path, value)
    found = []
    try:
        recipe = ganzoo.recipe(tables)
    except RecipeError as error:
        found = error.mistakes
        assert found
    else:
        assert Recipe.parse(json.loads(json.dumps(recipe.tables(), allow_nan=False))) == recipe
        assert recipe.changed() == recipe
    assert all(line and "\n" not in line for line in found)


@pytest.mark.parametrize("mapping", [{}, {("a",): 1}, {3: 4}, {"observers": {"x": {"y": float("nan")}}}])
def test_a_mapping_that_no_file_could_hold_is_refused(mapping):
    assert mistakes(mapping if not mapping.get("observers") else minimal(**mapping))


def test_a_mapping_that_holds_itself_is_refused():
    tables = minimal()
    tables["data"]["self"] = tables
    assert mistakes(tables)


@given(st.text("ab.=", max_size=6) | PLACES, VALUES)
def test_any_change_is_a_recipe_or_a_recipe_error(path, value):
    recipe = ganzoo.recipe("gan-mnist")
    before = recipe.tables()
    with contextlib.suppress(RecipeError):
        assert isinstance(recipe.changed({path: value}), Recipe)
    assert recipe.tables() == before
