"""`training.graphs`: the same training, and eager where a step can't be captured.

What a GPU would do is acted on the CPU by `tests.engine.operations`; the last test needs a GPU.
"""

import logging

import pytest
import torch

import ganzoo
from ganzoo import Strategy, Update
from ganzoo.engine.graphs import Graphs
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from ganzoo.run import Run
from ganzoo.strategy import Progress
from tests.engine import tools
from tests.engine.operations import record
from tests.support import tiny

# a rate that float32 holds exactly, as the device does: all else must agree to the bit or nearly so
ADAM = {"name": "adam", "lr": 2**-12, "betas": [0.5, 0.99]}
STEPS = 9
HOSTED = "srgan-photos-x4", "esrgan-photos-x4"  # their pictures are shifted by numbers of the host


def engine(recipe, folder, graphs=record):
    made = Engine(resolve(recipe), Run(folder), Processes("cpu"), Observers())
    if graphs:
        made.graphs = Graphs(made.stepper, True, graphs)
    return made


def state(made):
    """All that training leaves behind, the log included."""
    tensors = {f"{n}.{k}": v for n, net in made.networks.items() for k, v in net.state_dict().items()}
    tensors |= dict(made.strategy.named_buffers())
    logged = {k: torch.stack(v).float() for k, v in made.window.items()}
    return {name: t.detach().double().clone() for name, t in (tensors | logged).items()}


def apart(a, b):
    assert a.keys() == b.keys()
    return max(float((a[k] - b[k]).abs().max()) for k in a if a[k].numel())


@pytest.mark.parametrize("name", registry().names("recipe"))
def test_captured_steps_train_as_eager_ones_do(name, tmp_path, caplog):
    captures = []

    def counted(work):
        captures.append(work)
        return record(work)

    recipe = tiny(name).changed({"training.optimizer": ADAM, "training.images": 10_000})
    eager, captured = engine(recipe, tmp_path / "a", None), engine(recipe, tmp_path / "b", counted)
    with caplog.at_level(logging.WARNING, "ganzoo"):
        for made in (eager, captured):
            for _ in range(STEPS):
                made._step()
    assert apart(state(eager), state(captured)) < 1e-6
    said = [r.message for r in caplog.records if "captured" in r.message]
    if name in HOSTED:
        assert said == ["steps are not captured: the strategy reads progress.step itself, not by `varying` or `due`"]
    else:
        assert captured.graphs.plans or captured.graphs.eager
        assert len(captures) == sum(len(plan.replays) for plan in captured.graphs.plans.values())  # each once
        assert not said


def test_a_rate_that_falls_reaches_a_captured_step(tmp_path):
    recipe = tiny("gan-mnist").changed(
        {"training.optimizer": ADAM | {"schedule": "linear", "final": 0.0}, "training.images": 40}
    )
    eager, captured = engine(recipe, tmp_path / "a", None), engine(recipe, tmp_path / "b")
    still = engine(recipe.changed({"training.optimizer.schedule": "constant"}), tmp_path / "c", None)
    for made in (eager, captured, still):
        for _ in range(STEPS):
            made._step()
    assert captured.graphs.plans
    assert apart(state(eager), state(captured)) < 1e-6
    assert apart(state(eager), state(still)) > 1e-4


def test_steps_of_different_kinds_have_graphs_of_their_own(tmp_path):
    recipe = tiny("gan-mnist").changed(
        {"training.optimizer": ADAM, "training.images": 1_000, "regularizers": {"r1": {"every": 2}}}
    )
    eager, captured = engine(recipe, tmp_path / "a", None), engine(recipe, tmp_path / "b")
    for made in (eager, captured):
        for _ in range(14):
            made._step()
    assert set(captured.graphs.plans) == {(True,), (False,)}
    assert apart(state(eager), state(captured)) < 1e-6


def test_a_run_that_is_stopped_goes_on_by_graphs_to_the_same_end(tmp_path, monkeypatch):
    recipe = tiny("gan-mnist").changed(
        {"training.optimizer": ADAM, "training.images": 40, "training.checkpoint_every": 20}
    )
    plain = ganzoo.train(recipe, out=tmp_path / "plain", device="cpu")
    monkeypatch.setattr("ganzoo.engine.loop.Graphs", lambda stepper, wanted: Graphs(stepper, True, record))
    ganzoo.train(recipe.changed({"training.images": 20}), out=tmp_path / "run", device="cpu")
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    weights = [r.model(device="cpu").networks["generator"].state_dict() for r in (plain, run)]
    assert apart(*({k: v.double() for k, v in w.items()} for w in weights)) < 1e-6


def test_a_cpu_trains_without_and_says_so_once(tmp_path, caplog):
    recipe = tiny("gan-mnist")
    with caplog.at_level(logging.WARNING, "ganzoo"):
        runs = [
            ganzoo.train(recipe.changed({"training.graphs": graphs}), out=tmp_path / str(graphs), device="cpu")
            for graphs in (None, True)
        ]
    said = [r.message for r in caplog.records if "captured" in r.message]
    assert said == ["steps are not captured: CUDA graphs are for CUDA devices, and this trains on cpu"]
    files = [r.newest_export() / "model.safetensors" for r in runs]
    assert files[0].read_bytes() == files[1].read_bytes()


class Plain(Strategy):
    """One network, one update; what follows differs from it in one thing."""

    networks = ("net",)
    needs_loss = False

    def __init__(self):
        super().__init__()
        self.register_buffer("state", torch.ones(()))

    def weight(self, real):
        return self.state

    def step(self, nets, batches):
        (real,) = next(batches)
        yield Update(nets.net, self.weight(real) * (nets.net(real.float()) + torch.randn(len(real), 1)).square().mean())


class Assigns(Plain):
    def after_step(self, means):
        self.state = self.state * 1.5  # a new tensor, where a graph reads the old one


class Grows(Plain):
    def after_step(self, means):
        if self.state.numel() < 7:
            self.state = torch.ones(self.state.numel() + 1)

    def weight(self, real):
        return self.state.mean()


class Varies(Plain):
    def weight(self, real):
        return self.varying(lambda: 1 / (1 + self.progress.images))


class ReadsProgress(Plain):
    def weight(self, real):
        return 1 / (1 + self.progress.images)


class ReadsValue(Plain):
    def weight(self, real):
        return 1 + abs(float(real.sum()))


class MakesTensor(Plain):
    def weight(self, real):
        return torch.tensor(2.0)


class ReadsMask(Plain):
    def weight(self, real):
        return real.abs()[real > real.mean()].mean().detach()


class LeavesOut(Plain):
    """Two updates, the second of which has no gradient for some of the parameters."""

    def step(self, nets, batches):
        yield from super().step(nets, batches)
        yield Update(nets.net, next(nets.net.parameters()).square().mean())


class Draws(Plain):
    def step(self, nets, batches):
        for _ in range(1 + self.progress.step % 2):
            yield from super().step(nets, batches)


def trained(strategy, steps=12, *, graphs, optimizer=ADAM, accumulate=1):
    nets = tools.networks(net=(2, 1))
    nets["net"].float()
    stepper = tools.stepper(strategy, nets, optimizer=optimizer, accumulate=accumulate)
    machine, images = Graphs(stepper, graphs, record), 0
    for number in range(steps):
        strategy.__dict__["progress"] = Progress(number, images, 0.0)
        images += machine.step(0, moves=False).drawn
    return machine, {k: v.double() for k, v in tools.weights(nets).items()}


@pytest.mark.parametrize("kind", [Plain, Assigns, Grows, Varies, LeavesOut])
def test_state_and_numbers_of_a_strategy_reach_its_graphs(kind):
    (machine, captured), (_, eager) = trained(kind(), graphs=True), trained(kind(), graphs=False)
    assert machine.plans
    assert apart(captured, eager) < 1e-6


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        (ReadsProgress, {}, "the strategy reads progress.images itself"),
        (ReadsValue, {}, "the step reads a value from the device"),
        (ReadsMask, {}, "the step reads a value from the device"),
        (MakesTensor, {}, "the step makes a tensor of numbers of the host"),
        (Draws, {}, "the strategy reads progress.step itself"),
        (Plain, {"accumulate": 2}, "a batch is taken in several parts"),
        (Plain, {"optimizer": tools.SGD}, "the optimiser of net isn't Adam or AdamW"),
    ],
)
def test_what_needs_the_host_goes_on_without_and_says_why_once(kind, options, why, caplog):
    with caplog.at_level(logging.WARNING, "ganzoo"):
        machine, asked = trained(kind(), graphs=True, **options)
    assert [why in r.message for r in caplog.records] == [True]
    assert not machine.plans
    assert apart(asked, trained(kind(), graphs=False, **options)[1]) == 0


def test_a_log_of_few_steps_does_not_make_every_step_eager(tmp_path):
    recipe = tiny("gan-mnist").changed({"training.optimizer": ADAM, "training.images": 10_000})
    made = engine(recipe, tmp_path)
    eager, step = [], made.stepper.step
    made.stepper.step = lambda attempt, moves: eager.append(moves) or step(attempt, moves)
    rows = []
    for _ in range(50):
        made._step()
        rows.append("generator/gradient_norm" in dict(made.window.items()))
        made.window.clear()
    assert eager == [True] * len(eager)
    assert 3 < len(eager) == sum(rows) < 6


def test_the_stand_in_for_a_gpu_runs_nothing_at_first_and_keeps_the_host_s_numbers():
    host, device = [1.0], torch.zeros(())
    replay = record(lambda: device.add_(torch.ones(()) * host[0]))
    assert float(device) == 0
    host[0] = 5.0
    replay()
    assert float(device) == 1
    with pytest.raises(RuntimeError, match="capturing"):
        record(lambda: float(device))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("way", [{}, {"training.precision": "bf16"}, {"training.compile": True}], ids=str)
@pytest.mark.parametrize("name", ["gan-mnist", "cgan-mnist", "infogan-mnist", "wgan-gp-mnist", "stylegan2-mnist"])
def test_on_a_gpu_captured_and_eager_steps_agree(name, way, tmp_path):
    """As well as eager steps agree with themselves: some kernels there add up in any order."""
    states = []
    for run, graphs in enumerate((False, False, True)):
        changes = {"training.optimizer": ADAM, "training.images": 10_000, "training.graphs": graphs} | way
        recipe = tiny(name).changed(changes | {"training.log_every": 9_000})
        made = Engine(resolve(recipe), Run(tmp_path / str(run)), Processes("cuda"), Observers())
        for _ in range(3 * STEPS):
            made._step()
        states.append(state(made))
        assert bool(made.graphs.plans) is graphs
    eager, again, captured = states
    assert apart(eager, captured) <= max(1e-3, 3 * apart(eager, again))
