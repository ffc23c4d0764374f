"""Many processes are one training: equal weights however a batch is shared, and the same decisions everywhere."""

import functools
import time
from datetime import timedelta

import pytest
import torch

import ganzoo
from ganzoo import Strategy, Update
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
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


def without_batch_norm(build, name):
    """A network as the architecture builds it, but no example sees another: what is tried is the strategy."""
    network = build(name)
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
    found = {}
    for name, recipe in recipes.items():
        recipe = recipe.changed({"training.accumulate": accumulate, "training.images": 10**6})
        parts = resolve(recipe)
        parts.dataset.read = functools.partial(read_in_double, parts.dataset.read)
        parts.architecture.build = functools.partial(without_batch_norm, parts.architecture.build)
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


def test_a_training_on_the_cpu_does_not_keep_later_ones_from_the_gpu(monkeypatch):
    assert Processes("cpu").device == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Processes().device == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Processes().device == torch.device("cpu")
