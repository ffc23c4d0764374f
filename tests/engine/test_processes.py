"""Many processes are one training: equal weights however a batch is shared, and the same decisions everywhere."""

import functools
import hashlib
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo import Strategy, Update
from ganzoo.engine.checkpoint import newest
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.errors import TrainingError
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from ganzoo.run import Run
from tests.engine import test_contract, tools
from tests.engine.many import Failed, together
from tests.support import tiny


@functools.cache
def exact_recipes():
    """For each registered strategy that says so a recipe whose loss and regularisers say so too."""
    found = {}
    for name in registry().names("recipe"):
        recipe = ganzoo.recipe(name)
        parts = [("strategy", recipe.strategy.name), *(("regularizer", name) for name in recipe.regularizers)]
        parts += [] if recipe.loss is None else [("loss", recipe.loss.name)]
        if all(registry().get(kind, part).per_sample for kind, part in parts):
            architecture = registry().get("architecture", recipe.architecture.name)
            if recipe.strategy.name not in found or architecture.per_sample:
                found[recipe.strategy.name] = name
    light = {"pix2pix": {"architecture.backbone": ""}}  # cut has one too
    return {strategy: tiny(name, **light.get(strategy, {})) for strategy, name in found.items()}


def test_every_strategy_that_says_so_is_tried():
    says = {name for name in registry().names("strategy") if registry().get("strategy", name).per_sample}
    assert says >= {"gan", "wgan-gp", "r1r2"}
    assert set(exact_recipes()) == says


def without_batch_norm(engine, name, build=Engine._build):
    """A network as the engine builds it, but no example sees another: what is tried is the strategy."""
    network = build(engine, name)
    for module in list(network.modules()):
        for key, child in list(module.named_children()):
            if isinstance(child, torch.nn.modules.batchnorm._BatchNorm):
                setattr(module, key, torch.nn.Identity())
    return network.double()


def read_in_double(read, *where):
    torch.set_default_dtype(torch.float32)  # what augments pictures is no part of what is tried
    rows = read(*where)
    torch.set_default_dtype(torch.float64)
    return tuple(t.double() if t.is_floating_point() else t for t in rows)


def double(recipes, accumulate, steps):
    """Weights after some steps in double precision, for each recipe."""
    torch.set_default_dtype(torch.float64)
    Engine._build = without_batch_norm
    found = {}
    for name, recipe in recipes.items():
        recipe = recipe.changed({"training.accumulate": accumulate, "training.images": 10**6})
        parts = resolve(recipe)
        parts.dataset.read = functools.partial(read_in_double, parts.dataset.read)
        engine = Engine(parts, Run("unused"), Processes("cpu"), Observers(False))
        for _ in range(steps):
            engine._step()
        state = {"strategy": engine.strategy.state_dict()}
        state |= {n: net.state_dict() for n, net in engine.networks.items()}
        state |= {f"ema {n}": average.network.state_dict() for n, average in engine.averages.items()}
        found[name] = {f"{part}.{key}": v.numpy() for part, values in state.items() for key, v in values.items()}
    return found


# a running mean over all passes, as batch norm's are: it depends on how many there are, and no update depends on it
RUNNING = "mapping.mean"


def test_one_two_and_four_processes_reach_equal_weights():
    recipes = exact_recipes()
    alone = together(1, double, recipes, 4, 3, timeout=300)[0]
    for processes, accumulate in ((2, 2), (4, 1)):
        ranks = together(processes, double, recipes, accumulate, 3, timeout=300)
        for name, weights in alone.items():
            for key, value in weights.items():
                off = abs(ranks[0][name][key] - value).max(initial=0)
                assert off < 1e-12 or key.endswith(RUNNING), (name, key, processes, off)
                assert all((rank[name][key] == ranks[0][name][key]).all() for rank in ranks), "ranks end identical"


def test_what_is_not_exact_says_so_and_its_ranks_end_identical():
    """Which older translations cyclegan shows depends on the whole batch; without them it is as exact as the others."""
    kinds = {name for name in registry().names("strategy") if not registry().get("strategy", name).per_sample}
    assert kinds == {"cyclegan"}
    recipe = tiny("cyclegan-noto-twemoji")
    assert not resolve(recipe).exact
    recipes = {"pool": recipe, "none": recipe.changed({"strategy.pool": 0})}
    (alone,), ranks = (together(n, double, recipes, 4 // n, 4, timeout=300) for n in (1, 2))
    for name, weights in alone.items():
        for key, value in weights.items():
            assert (ranks[0][name][key] == ranks[1][name][key]).all(), (name, key)
            assert name == "pool" or abs(ranks[0][name][key] - value).max(initial=0) < 1e-12, key


def contract(kinds, accumulate):
    found = {}
    for kind in kinds:
        nets = tools.networks(**test_contract.SHAPES[kind])
        tools.run(kind(loss=test_contract.Wasserstein()), nets, accumulate=accumulate, optimizer={"name": "adam"})
        found[kind.__name__] = {name: value.numpy() for name, value in tools.weights(nets).items()}
    return found


def test_critic_loops_penalties_alone_tuples_and_two_generators_are_exact():
    kinds = list(test_contract.SHAPES)
    alone = together(1, contract, kinds, 4)[0]
    for rank in (*together(2, contract, kinds, 2), *together(4, contract, kinds, 1)):
        for kind, weights in alone.items():
            for name, value in weights.items():
                assert abs(rank[kind][name] - value).max() < 1e-12, (kind, name)


class Remembers(Strategy):
    """Updates one after another and together hand their examples over under one name."""

    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.register_buffer("seen", torch.empty(0, 2))

    def step(self, nets, batches):
        D = nets.discriminator
        for _ in range(2):
            (real,) = next(batches)
            yield Update(D, D(real).mean(), {"real": real})
        loss = D(real).mean()
        yield Update(D, loss, {"real": real + 10}), Update(D, loss, {"real": real + 20})

    def keep(self, examples):
        self.seen = examples["real"]


def remembered(accumulate):
    strategy = Remembers()
    tools.run(strategy, tools.networks(**test_contract.PAIR), steps=1, accumulate=accumulate)
    return strategy.seen.numpy()


def test_examples_come_update_by_update_each_in_the_order_of_the_batch():
    first, second = (tools.data(8 * i, 8 * i + 8)[0] for i in range(2))
    whole = torch.cat([first, second, second + 10, second + 20])
    for processes, accumulate in ((1, 1), (1, 4), (2, 2)):
        for seen in together(processes, remembered, accumulate):
            torch.testing.assert_close(torch.from_numpy(seen), whole, rtol=0, atol=0)


class Depends(Strategy):
    """Yields depend on values, which no strategy may do: on the second step the ranks part."""

    def step(self, nets, batches):
        (real,) = next(batches)
        yield Update(nets.discriminator, nets.discriminator(real).mean())
        if self.progress.step == 1 and real[0, 0] < 0:
            yield Update(nets.generator, nets.generator(real).mean())


class Unused(Strategy):
    """The second layer has a gradient on some processes alone, and the third layer on none."""

    def step(self, nets, batches):
        (real,) = next(batches)
        net = nets.discriminator
        hidden = net[0](real)
        yield Update(net, hidden.mean() + (net[2].bias.sum() if real[0, 0] > 0 else 0))


class Breaks(Strategy):
    """A plugin that fails on one process."""

    def step(self, nets, batches):
        (real,) = next(batches)
        if real[0, 0] < 0:
            raise ValueError("this one breaks")
        yield Update(nets.discriminator, nets.discriminator(real).mean())


class Greedy(Breaks):
    def step(self, nets, batches):
        (real,) = next(batches)
        if real[0, 0] < 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        yield Update(nets.discriminator, nets.discriminator(real).mean())


def steps(kind):
    nets = tools.networks(**test_contract.PAIR)
    tools.run(kind(), nets, steps=3, optimizer={"name": "adam", "weight_decay": 0.1})
    return {name: value.numpy() for name, value in tools.weights(nets).items()}


def test_the_first_difference_between_the_yields_of_processes_is_named():
    for result in together(2, steps, Depends):
        assert isinstance(result, Failed)
        assert result.kind == "PluginError"
        assert "strategy Depends updates" in result.message
        assert "nothing more" in result.message
        assert "in process 1 (segment 1 of a step)" in result.message


def test_a_parameter_unused_on_some_processes_is_averaged_and_one_unused_on_all_stays():
    before = {name: value.numpy() for name, value in tools.weights(tools.networks(**test_contract.PAIR)).items()}
    one, two = together(2, steps, Unused)
    moved = {name for name in before if (one[name] != before[name]).any()}
    assert moved == {"discriminator.0.weight", "discriminator.0.bias", "discriminator.2.bias"}
    assert all((one[name] == two[name]).all() for name in one)


@pytest.mark.parametrize(("kind", "errors"), [(Breaks, {"ValueError", "TrainingError"}), (Greedy, {"Exhausted"})])
def test_what_fails_on_one_process_ends_the_step_on_all(kind, errors):
    assert {result.kind for result in together(2, steps, kind)} == errors


def train(recipe, out, patch=None, **options):
    """Train with all processes; a digest of what each one holds at the end."""
    if patch is not None:
        patch()
    seen = []
    original = Engine._finish

    def finish(self):
        original(self)
        seen.append(self)

    Engine._finish = finish
    ganzoo.train(recipe, out=out, device="cpu", **options)
    (engine,) = seen
    digest = hashlib.sha256()
    states = [net.state_dict() for net in (*engine.networks.values(), engine.strategy)]
    for state in [*states, *(average.network.state_dict() for average in engine.averages.values())]:
        for value in state.values():
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest(), engine.steps, engine.attempt, engine.stepper.accumulate


def state_that_fails_on_one_rank():
    kind = registry().get("strategy", "began")
    original = kind.after_step

    def after_step(self, means):
        if self.progress.step == 2 and os.environ["RANK"] == "1":
            raise ValueError("no room")
        original(self, means)

    kind.after_step = after_step


def test_state_that_fails_on_one_process_ends_all_though_a_grid_is_due(tmp_path):
    recipe = tiny("began-mnist", **{"training.images": 32, "training.sample_every": 4})
    results = together(2, train, recipe, tmp_path / "run", state_that_fails_on_one_rank)
    assert {result.kind for result in results} == {"ValueError", "TrainingError"}


def not_a_number_on_one_rank():
    original = Engine._step

    def step(self):
        if self.steps == 3 and self.attempt == 0 and self.processes.rank == 1:
            next(self.networks["discriminator"].parameters()).data[0].fill_(float("nan"))
        original(self)

    Engine._step = step


def test_batch_norm_gives_identical_ranks_and_a_nan_on_one_rank_sends_all_back(tmp_path):
    recipe = tiny("dcgan-mnist", **{"training.images": 32, "training.log_every": 16})
    first, second = together(2, train, recipe, tmp_path / "run", not_a_number_on_one_rank)
    assert first == second
    assert first[1:] == (8, 1, 1)
    report = tmp_path / "run" / "diverged" / "step-00000004-attempt-1.json"
    assert '"networks": "discriminator"' in report.read_text()
    assert all(
        v.isfinite().all() for v in newest(tmp_path / "run" / "checkpoints").tensors("networks/generator").values()
    )


def out_of_memory_on_one_rank():
    original = Engine._step

    def step(self):
        if self.steps == 3 and self.processes.rank == 1 and self.stepper.accumulate == 1:
            self.stepper.read = _exhausted
        elif self.processes.rank == 1:
            self.stepper.read = self.kept = getattr(self, "kept", self.stepper.read)
        original(self)

    Engine._step = step


def _exhausted(*_):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_out_of_memory_on_one_process_gives_smaller_micro_batches_on_all(tmp_path):
    recipe = tiny("gan-mnist", **{"training.images": 32})
    first, second = together(2, train, recipe, tmp_path / "run", out_of_memory_on_one_rank)
    assert first == second
    assert first[1:] == (8, 0, 2)
    assert newest(tmp_path / "run" / "checkpoints").manifest["accumulate"] == 2


def test_out_of_memory_with_nothing_left_to_cut_ends_with_exit_code_3(tmp_path):
    """Alone too: four images are cut to micro-batches of two, then of one, and then it is said."""

    def always(self):
        self.stepper.read = _exhausted
        original(self)

    original, Engine._step = Engine._step, always
    try:
        with pytest.raises(
            TrainingError, match=r"out of memory in step 0, .* can't be shared by 1 processes x 8"
        ) as failed:
            ganzoo.train(tiny("gan-mnist"), out=tmp_path / "run", device="cpu")
    finally:
        Engine._step = original
    assert failed.value.exit_code == 3


def test_resuming_with_other_processes_needs_the_flag_and_goes_on(tmp_path):
    recipe = tiny("gan-mnist", **{"training.images": 16, "training.accumulate": 2})
    together(2, train, recipe, tmp_path / "run")
    more = recipe.changed({"training.images": 32})
    (refused,) = together(1, train, more, tmp_path / "run")
    assert "trained by 2 processes and now there are 1; start as many, or allow it with" in refused.message
    assert refused.exit_code == 2
    (alone,) = together(1, _train_on, more.changed({"training.accumulate": 4}), tmp_path / "run")
    assert alone[1] == 8
    (whole,) = together(1, train, more.changed({"training.accumulate": 4}), tmp_path / "whole")
    assert whole[1] == 8
    saved, other = (newest(tmp_path / f / "checkpoints").tensors("networks/generator") for f in ("run", "whole"))
    for name, value in other.items():  # the same shards: the same training up to rounding
        torch.testing.assert_close(saved[name], value, rtol=1e-4, atol=1e-6)


def test_another_product_of_processes_and_micro_batches_is_said_to_be_another_training(tmp_path, caplog):
    recipe = tiny("gan-mnist", **{"training.images": 16, "training.accumulate": 2})
    together(2, train, recipe, tmp_path / "run")
    more = recipe.changed({"training.images": 32, "training.accumulate": 1})
    steps = _train_on(more, tmp_path / "run")[1]
    assert steps == 8
    assert (
        "going on with 1 x 1 instead of 2 x 2 processes x micro-batches: another order of noise, so another training"
        in caplog.text
    )
    rows = Run(tmp_path / "run").metrics()
    assert [row["images"] for row in rows] == sorted({row["images"] for row in rows})


def _train_on(recipe, out):
    return train(recipe, out, allow_world_size_change=True)


class Watcher:
    """A plugin that notes what it is told."""

    def __init__(self):
        self.told = []

    @ganzoo.hookimpl
    def ganzoo_training_started(self, run):
        self.told.append("started")

    @ganzoo.hookimpl
    def ganzoo_metrics_logged(self, run, step, metrics):
        self.told.append(step)

    @ganzoo.hookimpl
    def ganzoo_training_finished(self, run):
        self.told.append("finished")


def watched(recipe, out):
    watcher = Watcher()
    registry().manager.register(watcher)
    ganzoo.train(recipe, out=out, device="cpu")
    return watcher.told


def test_observers_are_told_by_the_main_process_alone(tmp_path):
    recipe = tiny("gan-mnist", **{"training.images": 16, "training.log_every": 8})
    assert together(2, watched, recipe, tmp_path / "run") == [["started", 2, 4, "finished"], []]


def slowly():
    """The main process works for longer than torch waits by default, which is made short here."""
    torch.distributed.distributed_c10d.default_pg_timeout = timedelta(seconds=1)
    return Processes("cpu").first(lambda: time.sleep(3) or "measured")


def test_others_wait_for_as_long_as_the_main_process_works():
    assert together(2, slowly) == ["measured", "measured"]


def one_ends():
    processes = Processes("cpu")
    return processes.agree() if processes.is_main else "ended"


def test_a_process_that_ends_is_noticed_at_once():
    first, second = together(2, one_ends)
    assert (first.kind, second) == ("TrainingError", "ended")
    assert "another process of this training ended" in first.message


def test_a_mistake_is_found_by_all_and_nobody_waits(tmp_path):
    for kind, broken in {
        "there is no dataset": {"data.name": "nothing"},
        "divisible": {"training.batch_size": 3},
    }.items():
        results = together(2, train, tiny("gan-mnist").changed(broken), tmp_path / "run")
        assert [r.exit_code for r in results] == [2, 2]
        assert any(kind in r.message or "can't be shared" in r.message for r in results)
    assert not Path(tmp_path / "run" / "metrics.jsonl").exists()
