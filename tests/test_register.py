"""Parts of a program's own: trained with, loaded, resumed and refused without any package."""

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import ganzoo
from ganzoo import Architecture, Discriminator, GanzooError, Generator, Loss, ResidentDataset, Settings, Spec
from ganzoo.errors import ModelError, PublishError, RecipeError
from ganzoo.hub.prepare import prepare
from tests.support import tiny


class Mine(Loss):
    """The logistic loss."""

    def discriminator_loss(self, real, fake):
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, fake, real):
        return softplus(-fake).mean()


class Squares(ResidentDataset):
    """Sixteen white squares."""

    def __init__(self, config=None):
        super().__init__(config)
        self.hold(image=torch.full((16, 1, 28, 28), 255, dtype=torch.uint8), label=torch.arange(16) % 2)
        self.spec = Spec(name="squares", count=16, size=28, channels=1, labels=("a", "b"), licence="CC0-1.0")


class Flat(Architecture):
    """One linear layer each."""

    class Config(Settings):
        size: int
        channels: int

    def build(self, network):
        pixels = self.config.size**2 * self.config.channels
        return FlatGenerator(pixels, self.config) if network == "generator" else FlatDiscriminator(pixels)


class FlatGenerator(Generator):
    def __init__(self, pixels, config):
        super().__init__()
        self.latent_size, self.shape = 4, (config.channels, config.size, config.size)
        self.layer = nn.Linear(4, pixels)

    def forward(self, latents):
        return torch.tanh(self.layer(latents)).unflatten(1, self.shape)


class FlatDiscriminator(Discriminator):
    def __init__(self, pixels):
        super().__init__()
        self.layer = nn.Linear(pixels, 1)

    def forward(self, images):
        return self.layer(images.flatten(1)).squeeze(1)


@pytest.fixture(autouse=True)
def forgotten():
    """What a test registers is unknown to the next."""
    before = dict(ganzoo.registry.registry()._entries)
    yield
    ganzoo.registry.registry()._entries.clear()
    ganzoo.registry.registry()._entries.update(before)


def recipe(**changes):
    parts = {"architecture": {"name": "my-flat"}, "loss.name": "mine", "data": {"name": "squares"}}
    return tiny("gan-mnist").changed(parts | changes)


def registered():
    ganzoo.register("loss", "mine", Mine)
    ganzoo.register("dataset", "squares", Squares)
    ganzoo.register("architecture", "my-flat", Flat)


def test_a_program_trains_resumes_and_loads_with_parts_of_its_own(tmp_path):
    registered()
    run = ganzoo.train(recipe(), out=tmp_path / "run", device="cpu")
    images = run.recipe.training.images
    ganzoo.train(recipe(**{"training.images": 2 * images}), out=tmp_path / "run", device="cpu")
    model = ganzoo.load(f"file:{tmp_path / 'run'}", device="cpu")
    assert model.sample(3, seed=1).shape == (3, 1, 28, 28)
    assert torch.equal(model.sample(3, seed=1), ganzoo.load(f"file:{tmp_path / 'run'}", device="cpu").sample(3, seed=1))
    required = " ".join(model.config.requires)
    assert "torch-ganzoo" in required  # the strategy's
    assert "program" not in required


def test_a_program_without_the_parts_says_which_one_is_missing(tmp_path):
    registered()
    ganzoo.train(recipe(), out=tmp_path / "run", device="cpu")
    for key in (("loss", "mine"), ("architecture", "my-flat")):
        del ganzoo.registry.registry()._entries[key]
    with pytest.raises(ModelError, match="there is no architecture 'my-flat' among the installed plugins"):
        ganzoo.load(f"file:{tmp_path / 'run'}", device="cpu")
    with pytest.raises(RecipeError, match="there is no loss 'mine'"):
        ganzoo.train(recipe(), out=tmp_path / "run", device="cpu")


def test_only_an_architecture_of_a_package_is_published(tmp_path):
    registered()
    folders = {}
    for name, changes in {"own": {}, "known": {"architecture": {"name": "mlp"}}}.items():
        model = ganzoo.train(recipe(**changes), out=tmp_path / name, device="cpu").model("cpu")
        model.save(tmp_path / f"{name}-saved")
        folders[name] = tmp_path / f"{name}-saved"
        (tmp_path / f"{name}-staged").mkdir()
    with pytest.raises(PublishError, match="its architecture 'my-flat' is of this program alone"):
        prepare(folders["own"], tmp_path / "own-staged", "somebody/own", None, licence="cc0-1.0")
    assert prepare(folders["known"], tmp_path / "known-staged", "somebody/known", None, licence="cc0-1.0").sizes


def test_a_second_class_of_the_name_takes_the_first_ones_place():
    class Other(Mine):
        pass

    ganzoo.register("loss", "mine", Mine)
    ganzoo.register("loss", "mine", Other)
    assert ganzoo.registry.registry().get("loss", "mine") is Other


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("loss", "hinge", Mine), r"loss 'hinge' is of torch-ganzoo .*; take another name"),
        (("los", "mine", Mine), r"no kind of part 'los' to register; there are: architecture, loss, "),
        (("recipe", "mine", Mine), r"no kind of part 'recipe'"),
        (("loss", "mine", Mine()), r"a loss is a subclass of ganzoo.loss.Loss, and an object of Mine isn't one"),
        (("loss", "mine", Squares), r"and Squares isn't one"),
        (("loss", "my loss", Mine), r"'my loss' is no name of a part"),
    ],
)
def test_what_is_no_part_is_refused(given, said):
    with pytest.raises(GanzooError, match=said):
        ganzoo.register(*given)
