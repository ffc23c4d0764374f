"""Adam's kernel called by the engine itself does what torch's own step does."""

import copy

import pytest
import torch
from torch import nn

from ganzoo.engine.optimizers import NetworkOptimizer
from ganzoo.recipes import Optimizer
from tests.support import python

GOOD, BAD = torch.zeros(()), torch.ones(())


def gradients(net, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(p.shape, generator=generator) for p in net.parameters()]


@torch.no_grad()
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_steps_are_those_of_torch_and_a_bad_one_counts_nowhere(name):
    ours, theirs = (nn.Linear(5, 3) for _ in "ab")
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    mine = NetworkOptimizer(ours, Optimizer.read({"name": name, "weight_decay": 0.1}))
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    plain = kind(theirs.parameters(), lr=0, betas=(0.5, 0.999), weight_decay=0.1, fused=True)
    for i, bad in enumerate([GOOD, GOOD, BAD, GOOD]):
        mine.step(gradients(ours, i), bad, 0.01 * (i + 1))
        for p, g in zip(theirs.parameters(), gradients(theirs, i), strict=True):
            p.grad = g
        plain.param_groups[0]["lr"] = 0.01 * (i + 1)
        if not bad:
            plain.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert [s["step"].item() for s in mine.state_dict()["state"].values()] == [3, 3]


@torch.no_grad()
@pytest.mark.parametrize("saved", [False, True])
def test_an_update_that_leaves_a_parameter_out_is_torch_s_too_and_needs_no_step_of_its(saved, monkeypatch):
    """Parameters share a count of steps as long as theirs are equal, and what is saved has each one's own."""
    ours, theirs = (nn.Linear(5, 3) for _ in "ab")
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    mine = NetworkOptimizer(ours, Optimizer())
    plain = torch.optim.Adam(theirs.parameters(), lr=0.01, betas=mine.settings.betas, fused=True)
    for i in range(7):
        given = gradients(ours, i)
        if i in (1, 3, 5):
            given[i // 2 % 2] = None
        if i == 1:
            monkeypatch.setattr(mine, "_bare_step", None)  # a CUDA graph doesn't take it
        mine.step(given, GOOD, 0.01)
        for p, g in zip(theirs.parameters(), given, strict=True):
            p.grad = g
        plain.step()
        if saved:
            counts = [s["step"].item() for s in mine.state_dict()["state"].values()]
            assert counts == [s["step"].item() for s in plain.state.values()]
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    steps = [s["step"] for s in mine.state_dict()["state"].values()]
    assert [step.item() for step in steps] == [5, 6]
    assert steps[0] is not steps[1]


@torch.no_grad()
def test_an_update_without_any_gradient_counts_nowhere():
    net = nn.Linear(5, 3)
    optimizer = NetworkOptimizer(net, Optimizer())
    for given in (gradients(net, 0), gradients(net, 1), [None, None], gradients(net, 2)):
        optimizer.step(given, GOOD, 0.01)
    assert [s["step"].item() for s in optimizer.state_dict()["state"].values()] == [3, 3]


@torch.no_grad()
def test_the_state_that_is_stepped_is_the_state_that_was_loaded():
    net = nn.Linear(2, 2)
    optimizer = NetworkOptimizer(net, Optimizer())
    empty = copy.deepcopy(optimizer.state_dict())
    for i in range(3):
        optimizer.step(gradients(net, i), GOOD, 0.1)
    saved, weights = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(net.state_dict())
    optimizer.step(gradients(net, 3), GOOD, 0.1)
    wanted = copy.deepcopy(net.state_dict())
    optimizer.load_state_dict(saved)
    net.load_state_dict(weights)
    optimizer.step(gradients(net, 3), GOOD, 0.1)
    assert all(torch.equal(net.state_dict()[n], wanted[n]) for n in wanted)
    optimizer.load_state_dict(empty)
    optimizer.step(gradients(net, 0), GOOD, 0.1)
    assert [s["step"].item() for s in optimizer.state_dict()["state"].values()] == [1, 1]


@torch.no_grad()
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_state_is_loaded_into_the_layout_of_the_parameters(name):
    """Another number of micro-batches may choose another layout of images."""
    there = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    settings = Optimizer.read({"name": name, "momentum": 0.9})
    mine = NetworkOptimizer(there, settings)
    for i in range(3):
        mine.step(mine.dense(gradients(there, i)), GOOD, 0.1)
    here = nn.Conv2d(3, 4, 3)
    here.load_state_dict(there.state_dict())
    other = NetworkOptimizer(here, settings)
    other.load_state_dict(copy.deepcopy(mine.state_dict()))
    for optimizer in (mine, other):
        optimizer.step(optimizer.dense(gradients(there, 3)), GOOD, 0.1)
    torch.testing.assert_close(here.weight, there.weight)


def test_training_imports_no_compiler(tmp_path):
    """torch's wrapper around an optimiser's methods would, which takes longer than all else before the first step."""
    done = python(
        f"""
        import sys
        import ganzoo
        from tests.support import tiny
        ganzoo.train(tiny("gan-mnist"), out={str(tmp_path / "run")!r}, device="cpu")
        print("torch._dynamo" in sys.modules)
        """
    )
    assert done.stdout.split()[-1] == "False", done.stderr
