"""Activations that are computed again in the backward pass: the same training, in less memory."""

import pytest
import torch

import ganzoo
from ganzoo.registry import registry
from tests.engine.test_resume import everything
from tests.support import tiny


def built(network, norm, recompute):
    torch.manual_seed(0)
    cls = registry().get("architecture", "dcgan")
    settings = {"size": 28, "channels": 1, "width": 4, "latent_size": 4, "discriminator_norm": norm}
    return cls(cls.Config(**settings, recompute=recompute)).build(network).double()


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_first_and_second_derivatives_and_statistics_are_the_same(norm):
    found = []
    for recompute in (False, True):
        D = built("discriminator", norm, recompute)
        images = torch.linspace(-1, 1, 4 * 784, dtype=torch.float64).sin().view(4, 1, 28, 28).requires_grad_()
        logits = D(images)
        (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        loss = logits.square().mean() + slope.square().sum()
        gradients = torch.autograd.grad(loss, list(D.parameters()))
        found.append([*gradients, *D.state_dict().values()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


class Kept:
    """Counts the bytes that autograd keeps for the backward pass."""

    def __init__(self):
        self.bytes = 0

    def pack(self, tensor):
        self.bytes += tensor.nbytes
        return tensor


def test_less_is_kept_for_the_backward_pass():
    kept = []
    for recompute in (False, True):
        G, count = built("generator", "batch", recompute), Kept()
        with torch.autograd.graph.saved_tensors_hooks(count.pack, lambda tensor: tensor):
            G(torch.ones(64, 4, dtype=torch.float64)).sum()
        kept.append(count.bytes)
    assert kept[1] < kept[0] / 2


@pytest.mark.parametrize("name", ["dcgan-mnist", "cgan-mnist"])
def test_a_run_with_it_is_the_run_without(name, tmp_path):
    runs = []
    for recompute in (False, True):
        recipe = tiny(name, **{"architecture.recompute": recompute, "training.log_every": 4})
        runs.append(everything(ganzoo.train(recipe, out=tmp_path / str(recompute), device="cpu")))
    (_, without, rows), (_, with_it, other_rows) = runs
    assert [key for key in without if not torch.equal(without[key], with_it[key])] == []
    assert rows == other_rows


def test_shared_batch_norm_is_refused_without_gpus(tmp_path):
    with pytest.raises(ganzoo.GanzooError, match=r"sync_batch_norm is for CUDA devices, and this trains on cpu"):
        ganzoo.train(tiny("dcgan-mnist", **{"training.sync_batch_norm": True}), out=tmp_path / "run", device="cpu")
