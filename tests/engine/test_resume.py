"""A run that was stopped and resumed is the run that wasn't, bit for bit."""

import re
import signal

import pytest
import torch

import ganzoo
from ganzoo.engine.checkpoint import newest
from ganzoo.engine.loop import Engine
from ganzoo.errors import RunError, Stopped
from ganzoo.registry import registry
from ganzoo.run import Run
from tests.engine.many import Failed, together
from tests.support import images_of_a_step, tiny

TINY = {
    "architecture.latent_size": 4,
    "training.batch_size": 8,
    "training.log_every": 24,
    "training.optimizer.schedule": "constant",
}


def recipe(name, images, **more):
    small = {"architecture.width": 8} | TINY | {"training.images": images, **more}
    if name == "cgan-mnist":
        small["strategy.final_gamma"] = None  # a schedule follows the budget, which these tests change
    return ganzoo.recipe(name).changed(small)


def everything(run):
    """Every tensor of a run's newest checkpoint, and its log without the clock."""
    saved = newest(run.checkpoints)
    found = {}
    for file in saved.manifest["files"]:
        part, _, kind = file.rpartition(".")
        if kind == "safetensors":
            found |= {f"{part}/{name}": value for name, value in saved.tensors(part).items()}
        else:
            for i, state in saved.state(part)["state"].items():
                found |= {f"{part}/{i}/{name}": value for name, value in state.items()}
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]
    return saved.step, found, rows


def same(one, other):
    (steps, tensors, rows), (other_steps, other_tensors, other_rows) = everything(one), everything(other)
    assert steps == other_steps
    assert set(tensors) == set(other_tensors)
    assert [name for name in tensors if not torch.equal(tensors[name], other_tensors[name])] == []
    assert rows == other_rows


@pytest.mark.parametrize("name", ["gan-mnist", "cgan-mnist", "dcgan-mnist"])
@pytest.mark.parametrize("stop", [8, 24, 40])
def test_resumed_equals_uninterrupted(name, stop, tmp_path):
    whole = ganzoo.train(recipe(name, 72), out=tmp_path / "whole", device="cpu")
    ganzoo.train(recipe(name, stop), out=tmp_path / "parts", device="cpu")
    parts = ganzoo.train(recipe(name, 72), out=tmp_path / "parts", device="cpu")
    steps, tensors, rows = everything(parts)
    whole_steps, whole_tensors, whole_rows = everything(whole)
    assert steps == whole_steps == 9
    assert [k for k in tensors if not torch.equal(tensors[k], whole_tensors[k])] == []
    assert rows[-1]["images"] == whole_rows[-1]["images"] == 72


def within_six_steps(name):
    """A small recipe whose lazy regularisers come every third step, so that each place of their cycle is stopped at."""
    parts = {part: registry().get("regularizer", part).Config for part in ganzoo.recipe(name).regularizers}
    lazy = [part for part, settings in parts.items() if "every" in settings.model_fields]
    return tiny(name).changed({f"regularizers.{part}.every": 3 for part in lazy})


def stopped_and_resumed(name, out, stop, steps):
    """Train with all processes, stop after `stop` steps as a signal does, and go on."""
    small = within_six_steps(name)
    batch = images_of_a_step(small)
    window = {"training.images": steps * batch, "training.log_every": 2 * batch}
    if stop:
        original = Engine._step

        def step(self):
            if self.steps == stop - 1:
                signal.raise_signal(signal.SIGTERM)
            original(self)

        Engine._step = step
        try:
            with pytest.raises(Stopped) as stopped:
                ganzoo.train(small.changed(window), out=out, device="cpu")
        finally:
            Engine._step = original
        assert stopped.value.exit_code == 143
        assert newest(Run(out).checkpoints).step == stop
    ganzoo.train(small.changed(window), out=out, device="cpu")


def all_of(name, folder):
    Engine._finish = lambda self: self.processes.agree()  # the export is another test's
    for stop in range(6):
        stopped_and_resumed(name, folder / str(stop), stop, 6)


def one_of_each():
    """A recipe for every registered strategy, and for every set of regularisers with it."""
    found = {}
    for name in registry().names("recipe"):
        recipe = ganzoo.recipe(name)
        kind = recipe.strategy.name, tuple(recipe.regularizers)
        if kind not in found or name.startswith(recipe.strategy.name):
            found[kind] = name
    assert {strategy for strategy, _ in found} == set(registry().names("strategy"))
    return list(found.values())


LONG = (
    "projected-mnist",
    "projected-glyphs",
    "cut-noto-twemoji",
    "pix2pix-noto-fluent",
    "srcompact-photos-x2",
    "srgan-photos-x4",
)
BY_TWO = "gan-mnist", "wgan-gp-mnist", "cgan-mnist", "began-mnist", "ada-mnist"


def alone_and_by_two():
    """What takes long is left to `make prove`: six recipes, and with two processes all but five."""
    for name in one_of_each():
        yield pytest.param(name, 1, marks=[pytest.mark.prove] * (name in LONG))
        yield pytest.param(name, 2, marks=[pytest.mark.prove] * (name not in BY_TWO))


@pytest.mark.parametrize(("name", "processes"), alone_and_by_two())
def test_every_strategy_stopped_at_every_step_equals_the_one_that_was_not(name, processes, tmp_path):
    """The window of the log, pending at an odd step, travels in the checkpoint too."""
    results = together(processes, all_of, name, tmp_path)
    assert not any(isinstance(result, Failed) for result in results), results
    for stop in range(1, 6):
        same(Run(tmp_path / "0"), Run(tmp_path / str(stop)))


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    runs = [
        ganzoo.train(recipe("gan-mnist", 24, **{"training.seed": seed}), out=tmp_path / str(i), device="cpu")
        for i, seed in enumerate((3, 3, 4))
    ]
    same(runs[0], runs[1])
    with pytest.raises(AssertionError):
        same(runs[0], runs[2])


def test_another_recipe_is_refused_by_its_fields_and_nothing_changes(tmp_path):
    run = ganzoo.train(recipe("gan-mnist", 16), out=tmp_path / "run", device="cpu")
    before = everything(run)
    changed = recipe("gan-mnist", 32, **{"training.optimizer.lr": 0.001, "architecture.width": 16})
    rate = run.recipe.training.optimizer.lr
    said = f"architecture.width was 8 and is now 16; training.optimizer.lr was {rate} and is now 0.001"
    with pytest.raises(RunError, match=re.escape(said)):
        ganzoo.train(changed, out=tmp_path / "run", device="cpu")
    after = everything(run)
    assert before[0] == after[0]
    assert before[2] == after[2]
    again = ganzoo.train(changed, out=tmp_path / "run", device="cpu", restart=True)
    assert everything(again)[0] == 4
    assert again.recipe.architecture.settings["width"] == 16


def test_a_finished_run_is_left_as_it_is(tmp_path):
    run = ganzoo.train(recipe("gan-mnist", 16), out=tmp_path / "run", device="cpu")
    before = everything(run)
    again = ganzoo.train(recipe("gan-mnist", 16), out=tmp_path / "run", device="cpu")
    assert everything(again)[2] == before[2]


def test_a_damaged_checkpoint_is_passed_over(tmp_path, caplog):
    run = ganzoo.train(recipe("gan-mnist", 32, **{"training.checkpoint_every": 8}), out=tmp_path / "run", device="cpu")
    last = newest(run.checkpoints)
    file = last.path / "networks" / "generator.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    found = newest(run.checkpoints)
    assert found.step < last.step
    assert "is damaged (networks/generator.safetensors" in caplog.text
