"""`training.compile`: the same training within rounding, and eager where it can't be."""

import logging

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo.engine import compiled
from ganzoo.engine.compiled import Compiler
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.resolve import resolve
from ganzoo.run import Run
from tests.support import tiny

TOLERANCE = 1e-4  # of a weight after three steps; kernels of another order round otherwise


def engine(recipe, folder):
    return Engine(resolve(recipe), Run(folder), Processes("cpu"), Observers())


@pytest.fixture
def counted(monkeypatch):
    """Compiling costs seconds, and who is compiled doesn't depend on it: a stand-in that counts."""
    calls = []

    def stand_in(network):
        return lambda *a, **k: calls.append(network) or network._call_impl(*a, **k)

    monkeypatch.setattr(compiled, "_compiled", stand_in)
    return calls


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("gan-mnist", ["generator", "discriminator"]),
        ("wgan-gp-mnist", ["generator"]),
        ("r3gan-mnist", ["generator"]),
    ],
)
def test_networks_are_compiled_through_which_no_double_backward_passes(name, chosen, counted, tmp_path):
    made = engine(tiny(name).changed({"training.compile": True}), tmp_path)
    made._step()
    assert not counted
    made._step()
    assert made.compiler.compiled == chosen
    assert {id(n) for n in counted} == {id(made.networks[name]) for name in chosen}


def test_left_out_nothing_is_watched_or_compiled(counted, tmp_path):
    made = engine(tiny("gan-mnist"), tmp_path)
    made._step()
    made._step()
    assert not counted
    assert not made.compiler.compiled


def test_a_compiled_step_that_fails_is_taken_again_without(tmp_path, monkeypatch, caplog):
    def broken(network):
        def call(*_):
            raise torch._dynamo.exc.TorchDynamoException("no compiler here")

        return call

    monkeypatch.setattr(compiled, "_compiled", broken)
    recipe = tiny("gan-mnist")
    plain = ganzoo.train(recipe, out=tmp_path / "plain", device="cpu")
    with caplog.at_level(logging.WARNING, "ganzoo"):
        run = ganzoo.train(recipe.changed({"training.compile": True}), out=tmp_path / "run", device="cpu")
    assert [r.message for r in caplog.records].count(
        "generator, discriminator can't be compiled and go on without: no compiler here"
    ) == 1
    files = [r.newest_export() / "model.safetensors" for r in (plain, run)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_errors_of_a_strategy_are_no_fault_of_compiling():
    compiler = Compiler({"net": nn.Linear(1, 1)}, wanted=True)
    assert not compiler.gives_up(RuntimeError("double backward"))
    compiler.compiled = ["net"]
    assert not compiler.gives_up(ValueError("of the strategy"))
    assert compiler.gives_up(RuntimeError("torch.compile doesn't currently support double backward"))


@pytest.mark.prove
@pytest.mark.parametrize("name", ["gan-mnist", "wgan-gp-mnist"])
def test_compiled_and_plain_learn_the_same(name, tmp_path):
    states = []
    for compile in (False, True):
        made = engine(tiny(name).changed({"training.compile": compile}), tmp_path / str(compile))
        for _ in range(3):
            made._step()
        states.append([w.detach() for net in made.networks.values() for w in net.parameters()])
    G = made.networks["generator"]
    assert "Compiled" in type(G(G.latent(4)).grad_fn).__name__
    assert all(torch.allclose(a, b, atol=TOLERANCE) for a, b in zip(*states, strict=True))


def test_each_network_is_compiled_however_many_there_were(monkeypatch):
    """torch compiles code for eight kinds of input at most, and networks may not count as kinds of one code."""
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda code, **_: compile(code, backend=took, dynamic=False))
    graphs = []

    def took(graph, inputs):
        graphs.append(graph)
        return graph.forward

    for width in range(2, 7):
        net = nn.Linear(3, width)
        called = compiled._compiled(net)
        for batch in (2, 3):
            assert called(torch.ones(batch, 3)).shape == (batch, width)
    assert len(graphs) == 10


@pytest.mark.prove
def test_a_penalty_that_the_first_step_did_not_show_ends_compiling(tmp_path, caplog):
    recipe = tiny("gan-mnist").changed(
        {"training.compile": True, "regularizers": {"r1": {"every": 3}}, "training.images": 4}
    )
    ganzoo.train(recipe, out=tmp_path, device="cpu")  # one step; going on begins with one that penalises nothing
    with caplog.at_level(logging.WARNING, "ganzoo"):
        ganzoo.train(recipe.changed({"training.images": 20}), out=tmp_path, device="cpu")
    assert [r.message for r in caplog.records if "can't be compiled" in r.message] == [
        "generator, discriminator can't be compiled and go on without: torch.compile with aot_autograd does not "
        "currently support double backward"
    ]
