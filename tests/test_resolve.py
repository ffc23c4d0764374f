"""Resolving a recipe: nothing is typed twice, and every disagreement has its place."""

import shutil

import pytest
import torch

import ganzoo
from ganzoo import Architecture, Settings, Strategy
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.recipes import Part, Recipe
from ganzoo.registry import registry
from ganzoo.resolve import architecture_of, on_folder, resolve
from ganzoo_data.mnist import MNIST10k
from ganzoo_vanilla.architectures import MLP
from tests.support import contents, tiny


def mistakes(name, changes):
    with pytest.raises(RecipeError) as caught:
        resolve(ganzoo.recipe(name).changed(changes))
    return caught.value.mistakes


@pytest.mark.parametrize("name", registry().names("recipe"))
def test_what_a_registered_recipe_leaves_out_comes_from_its_data(name):
    parts = resolve(ganzoo.recipe(name))
    settings = parts.recipe.architecture.settings
    facts = {k: v for k, v in parts.spec.facts().items() if k in type(parts.architecture).Config.model_fields}
    assert facts
    assert facts.items() <= settings.items()
    assert parts.columns == (*parts.strategy.inputs, *parts.recipe.data.conditions)


@pytest.mark.parametrize("name", registry().names("recipe"))
def test_a_resolved_recipe_is_complete_and_resolves_to_itself(name):
    resolved = resolve(ganzoo.recipe(name)).recipe
    assert resolved.strategy.settings["version"] == 1
    assert resolve(Recipe.parse(resolved.tables())).recipe == resolved
    assert architecture_of(resolved.architecture).build("generator")  # without the data


def test_the_number_of_classes_is_taken_only_where_it_is_a_condition():
    assert resolve(ganzoo.recipe("cgan-mnist")).recipe.architecture.settings["classes"] == 10
    assert "classes" not in resolve(ganzoo.recipe("dcgan-mnist")).recipe.architecture.settings


@pytest.mark.parametrize(
    ("name", "changes", "lines"),
    [
        ("gan-mnist", {"architecture.size": 32}, ["architecture.size: 32, but the data 'mnist-10k' has 28"]),
        (
            "cgan-mnist",
            {"architecture.classes": 12, "architecture.channels": 3},
            [
                "architecture.channels: 3, but the data 'mnist-10k' has 1",
                "architecture.classes: 12, but the data 'mnist-10k' has 10",
            ],
        ),
        (
            "gan-mnist",
            {"data.conditions": ["label"]},
            ["data.conditions: label, but architecture 'mlp' is conditioned on none"],
        ),
        (
            "cgan-mnist",
            {"training.ema.critic.half_life": 5, "training.freeze": ["encoder.blocks"]},
            [
                "training.ema.critic: there is no network 'critic' (there are generator, discriminator)",
                "training.freeze: there is no network 'encoder' (there are generator, discriminator)",
            ],
        ),
        (
            "cgan-mnist",
            {"training.optimizer.critic": {"lr": 0.1}},
            ["training.optimizer.critic: there is no network 'critic' (there are generator, discriminator)"],
        ),
        (
            "ada-mnist",
            {"training.freeze": ["discriminator"], "regularizers.diffaugment": {}, "regularizers.r1": {}},
            [
                f"regularizers.{name}: it acts on the loss of 'discriminator', which training.freeze keeps as it is; "
                "leave one of the two out, or freeze parts of it"
                for name in ("ada", "r1")
            ],
        ),
    ],
)
def test_parts_that_disagree_are_named_with_their_places(name, changes, lines):
    assert mistakes(name, changes) == lines


def test_mistakes_of_parts_and_between_them_are_listed_together():
    found = mistakes(
        "wgan-gp-mnist",
        {
            "architecture.width": 0,
            "strategy.critic_steps": 2,
            "strategy.penalty": -1.0,
            "loss.name": "wassertein",
            "data.split": "all",
            "training.ema": {"critic": {}},
        },
    )
    assert {line.split(":")[0] for line in found} == {
        "architecture.width",
        "strategy.penalty",
        "loss.name",
        "data.split",
    }
    found = mistakes("wgan-gp-mnist", {"loss.name": "wassertein", "training.ema": {"critic": {}}})
    assert {line.split(":")[0] for line in found} == {"loss.name", "training.ema.critic"}


def test_settings_of_an_observer_that_is_not_installed_are_a_mistake():
    assert mistakes("gan-mnist", {"observers.vanila": {"every": 3}, "observers.data": {}}) == [
        "observers.vanila: there is no plugin of this name; did you mean 'vanilla' or 'auxiliary'?"
    ]
    assert mistakes("gan-mnist", {"observers.x": {}}) == ["observers.x: there is no plugin of this name"]


def test_a_column_that_the_data_lacks_is_named_with_what_it_has():
    found = mistakes("cgan-mnist", {"data.conditions": ["caption"]})
    assert any("has no 'caption'" in line and "it has image, label" in line for line in found)


class Attributes(MNIST10k):
    def __init__(self, config=None):
        super().__init__(config)
        self.hold(**self.data, attributes=torch.zeros(len(self.data["label"]), 40))


class OnAttributes(MLP):
    conditions = ("attributes",)


def test_a_condition_that_no_model_could_be_asked_for_is_refused_before_anything_starts(monkeypatch, tmp_path):
    more = {("dataset", "attributes"): Attributes, ("architecture", "on-attributes"): OnAttributes}
    get = registry().get
    monkeypatch.setattr(registry(), "get", lambda kind, name: more.get((kind, name)) or get(kind, name))
    recipe = tiny("gan-mnist").changed(
        {"data": {"name": "attributes", "conditions": ["attributes"]}, "architecture.name": "on-attributes"}
    )
    with pytest.raises(RecipeError) as caught:
        ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    assert caught.value.mistakes == ["data.conditions: a model can be asked for label or caption, not for 'attributes'"]
    assert not (tmp_path / "run").exists()


def test_a_loss_that_the_strategy_does_not_use_is_refused():
    assert mistakes("vae-mnist", {"loss.name": "hinge"}) == [
        "loss: strategy 'vae' has no adversarial loss; leave it out"
    ]


def test_a_strategy_without_its_loss_lists_the_losses():
    tables = ganzoo.recipe("gan-mnist").tables()
    del tables["loss"]
    with pytest.raises(RecipeError, match=r"loss: strategy 'gan' needs one; there are: hinge"):
        resolve(ganzoo.recipe(tables))


class OneNetwork(Architecture):
    """An architecture that builds a generator alone, in the third version of its settings."""

    class Config(Settings):
        version = 3
        width: int = 4

        @classmethod
        def migrate(cls, settings, version):
            return {"width": settings.pop("breadth")} if version == 1 else settings

    networks = ("generator",)

    def build(self, network):
        return torch.nn.Linear(self.config.width, 1)


class Critics(Strategy):
    networks = "generator", "critic", "encoder"


@pytest.fixture
def third_party(monkeypatch):
    """Two more components, as a plugin would contribute them."""
    get = registry().get
    more = {("architecture", "one-network"): OneNetwork, ("strategy", "critics"): Critics}
    monkeypatch.setattr(registry(), "get", lambda kind, name: more.get((kind, name)) or get(kind, name))


@pytest.mark.usefixtures("third_party")
def test_a_network_that_the_strategy_needs_and_the_architecture_does_not_build():
    tables = ganzoo.recipe("gan-mnist").tables() | {"architecture": {"name": "one-network"}}
    with pytest.raises(RecipeError) as caught:
        resolve(ganzoo.recipe(tables))
    assert caught.value.mistakes == [
        "strategy: 'gan' trains a network 'discriminator' that architecture 'one-network' doesn't build "
        "(it builds generator)"
    ]
    with pytest.raises(RecipeError) as caught:
        resolve(ganzoo.recipe(ganzoo.recipe("gan-mnist").tables() | {"strategy": {"name": "critics"}}))
    assert [line for line in caught.value.mistakes if "'critic'" in line or "'encoder'" in line]


@pytest.mark.usefixtures("third_party")
def test_a_component_reads_settings_of_its_older_versions():
    assert architecture_of(Part.read({"name": "one-network", "version": 1, "breadth": 7})).config.width == 7
    assert architecture_of(Part.read({"name": "one-network", "version": 3, "width": 7})).config.width == 7
    with pytest.raises(RecipeError, match=r"architecture: these settings have version 4 .* upgrade the plugin"):
        architecture_of(Part.read({"name": "one-network", "version": 4, "width": 7}))
    with pytest.raises(RecipeError, match=r"architecture: these settings of version 1 can't be migrated"):
        architecture_of(Part.read({"name": "one-network", "version": 1, "width": 7}))


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"architecture.latent": 3, "training.freeze": ["critic"]},
            [
                "training.freeze: there is no network 'critic' (there are generator, discriminator)",
                "architecture.latent: there is no such setting",
            ],
        ),
        ({"regularizers.r1.wait": 1}, ["regularizers.r1.wait: there is no such setting"]),
        ({"loss.name": "hing", "strategy.steps": 1}, ["strategy.steps: there is no such setting"]),
    ],
)
def test_what_needs_no_data_is_said_before_the_data_is_read(changes, lines, tmp_path):
    recipe = on_folder(ganzoo.recipe("cgan-mnist"), tmp_path / "nowhere").changed(changes)
    with pytest.raises(RecipeError) as caught:
        ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    said = [line.partition("; ")[0] for line in caught.value.mistakes if not line.startswith("loss.name")]
    assert said == lines
    with pytest.raises(RecipeError, match="there is no folder"):
        resolve(on_folder(ganzoo.recipe("cgan-mnist"), tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("file:nowhere", "there is no folder 'nowhere'"),
        ("nothing", "there is no model 'nothing'"),
        ("file:{run}", "has no complete checkpoint to start from"),
    ],
)
def test_a_start_that_is_not_there_is_said_before_the_data_is_read(start, said, unconditional_run, tmp_path):
    shutil.copytree(unconditional_run.folder, tmp_path / "other", ignore=shutil.ignore_patterns("step-*"))
    recipe = on_folder(tiny("cgan-mnist"), tmp_path / "nowhere").changed(
        start_from=start.format(run=tmp_path / "other")
    )
    with pytest.raises(GanzooError, match=said):
        ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_training_that_never_began_leaves_no_folder(tmp_path):
    wrong = tiny("cgan-mnist").changed({"training.freeze": ["generator.nothing"]})
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "run", tmp_path / "mine"):
        with pytest.raises(GanzooError, match="names no weights"):
            ganzoo.train(wrong, out=folder, device="cpu")
    assert not (tmp_path / "run").exists()
    assert list((tmp_path / "mine").iterdir()) == []
    run = ganzoo.train(tiny("cgan-mnist"), out=tmp_path / "run", device="cpu")
    before = contents(run.folder)
    with pytest.raises(GanzooError, match="names no weights"):
        ganzoo.train(wrong, out=run.folder, device="cpu", restart=True)
    assert contents(run.folder) == before
