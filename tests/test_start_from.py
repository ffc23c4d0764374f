"""Training that begins with other weights, and weights that stay as they are."""

import logging
import shutil

import pytest
import torch

import ganzoo
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.errors import GanzooError, RunError
from tests.support import TOO_LONG, tiny

LITTLE = {"training.optimizer.lr": 1e-9}  # so that weights stay near where they began


def trained(tmp_path, recipe, name="run"):
    return ganzoo.train(recipe, out=tmp_path / name, device="cpu")


def weights(run, network, first=False):
    saved = sorted(run.checkpoints.glob("step-*"))
    return checkpoints.read(saved[0 if first else -1]).tensors(f"networks/{network}")


def near(a, b):
    names = [name for name in a if a[name].is_floating_point() and "running" not in name]
    return all(torch.allclose(a[name], b[name], atol=1e-6) for name in names)


def test_from_a_run_every_network_is_taken(conditional_run, tmp_path):
    recipe = tiny("cgan-mnist", **{"start_from": f"file:{conditional_run.folder}", "training.seed": 5, **LITTLE})
    run = trained(tmp_path, recipe)
    for network in ("generator", "discriminator"):
        assert near(weights(run, network), weights(conditional_run, network))
    other = trained(tmp_path, tiny("cgan-mnist", **{"training.seed": 5, **LITTLE}), "other")
    assert not near(weights(other, "generator"), weights(conditional_run, "generator"))


def test_from_a_model_its_published_network_is_taken(conditional_run, tmp_path):
    folder = conditional_run.newest_export()
    recipe = tiny("cgan-mnist", **{"start_from": f"file:{folder}", "training.seed": 5, **LITTLE})
    run = trained(tmp_path, recipe)
    model = conditional_run.model(device="cpu").network.state_dict()
    assert near(weights(run, "generator"), model)
    assert not near(weights(run, "discriminator"), weights(conditional_run, "discriminator"))


def test_a_run_that_goes_on_needs_its_source_no_more(conditional_run, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(conditional_run.folder, source)
    recipe = tiny("cgan-mnist", start_from=f"file:{source}")
    trained(tmp_path, recipe)
    shutil.rmtree(source)
    run = trained(tmp_path, recipe.changed({"training.images": 16}))
    assert run.metrics()[-1]["images"] == 16
    with pytest.raises(GanzooError, match="there is no folder"):
        ganzoo.train(recipe, out=run.folder, device="cpu", restart=True)
    assert run.metrics()[-1]["images"] == 16  # refused before anything was deleted


def test_what_does_not_match_is_listed(conditional_run, tmp_path, caplog):
    # embeddings of labels are few values of a network with a wider latent and a hidden layer of its own
    base = trained(tmp_path, tiny("gan-mnist", **{"architecture.width": 64}), "base")
    recipe = tiny("gan-mnist", **{"architecture.width": 64, "architecture.latent_size": 2, **LITTLE})
    with caplog.at_level(logging.WARNING, "ganzoo"):
        run = trained(tmp_path, recipe.changed({"start_from": f"file:{base.folder}"}))
    assert "generator keeps its own layers.0.weight" in caplog.text
    assert near(
        {k: v for k, v in weights(run, "generator").items() if k != "layers.0.weight"}, weights(base, "generator")
    )


def test_less_than_nine_tenths_is_refused_with_what_does_not_match(conditional_run, tmp_path):
    recipe = tiny("cgan-mnist", **{"architecture.width": 8, "start_from": f"file:{conditional_run.folder}"})
    with pytest.raises(GanzooError, match=r"fits only \d+% of 'generator' \(90 % are needed\); without a match: \w+"):
        trained(tmp_path, recipe)
    assert not (tmp_path / "run" / "recipe.json").exists()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("file:/there/is/nothing", "there is no folder"),
        ("file:" + "a" * 300, TOO_LONG),
        ("cgan-mnits", "did you mean 'cgan-mnist'"),
        ("gan-mnist", "is a recipe"),
    ],
)
def test_a_source_that_is_not_there(tmp_path, source, words):
    with pytest.raises(GanzooError, match=words):
        trained(tmp_path, tiny("cgan-mnist", start_from=source))


def test_a_run_without_a_checkpoint_is_no_source(conditional_run, tmp_path):
    shutil.copytree(conditional_run.folder, tmp_path / "source")
    shutil.rmtree(tmp_path / "source" / "checkpoints")
    with pytest.raises(RunError, match="no complete checkpoint to start from"):
        trained(tmp_path, tiny("cgan-mnist", start_from=f"file:{tmp_path / 'source'}"))


@pytest.mark.parametrize(
    ("recipe", "paths"),
    [
        ("cgan-mnist", ["discriminator"]),
        ("cgan-mnist", ["generator"]),
        ("gan-mnist", ["discriminator"]),  # whose own loss then depends on no weight
        ("began-mnist", ["discriminator"]),
        ("cgan-mnist", ["generator.norms", "discriminator.downs.0"]),
        ("cgan-mnist", ["generator.ups.0.weight"]),
        ("dcgan-mnist", ["discriminator.norms.1", "generator.project", "generator.norms.0"]),
        ("stylegan2-mnist", ["generator.mapping"]),  # the path lengths are by its styles
    ],
)
def test_frozen_weights_are_bit_identical_after_training(recipe, paths, tmp_path):
    # without an average the grids are drawn from the networks themselves, in the midst of training
    changes = {"training.freeze": paths, "training.ema": {}, "training.sample_every": 4, "training.images": 16}
    run = trained(tmp_path, tiny(recipe, **changes, **{"training.keep": 9}))
    assert len(list(run.samples.iterdir())) == 4
    moved = 0
    for network in ("generator", "discriminator"):
        before, after = weights(run, network, first=True), weights(run, network)
        for key in before:
            frozen = any(f"{network}.{key}" == path or f"{network}.{key}.".startswith(f"{path}.") for path in paths)
            same = torch.equal(before[key], after[key])
            assert same or not frozen, f"{network}.{key} is frozen and moved"  # statistics of batch norms too
            moved += not same
    assert moved
    assert {"generator/loss", "discriminator/loss"} <= set(run.metrics()[-1])


@pytest.mark.parametrize("path", ["generator.nothing", "generator.up", "generator.ups.99", "generator."])
def test_an_unknown_part_is_refused_with_the_parts_that_there_are(tmp_path, path):
    recipe = tiny("cgan-mnist", **{"training.freeze": [path]})
    with pytest.raises(GanzooError, match=r"training.freeze: '.*' names no weights; 'generator' has the parts \w+"):
        trained(tmp_path, recipe)
    assert not (tmp_path / "run" / "recipe.json").exists()
