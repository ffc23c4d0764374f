"""The finite check, against torch's own on every kind of tensor that a gradient may be."""

import pytest
import torch

from ganzoo.engine import finite
from ganzoo.engine.finite import norm, not_finite

KINDS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_bad_value_anywhere_is_found(kind, value, fused, monkeypatch):
    if not fused:  # as on a device without the kernel
        monkeypatch.setattr(finite, "_HAS_CHECK", ())
    tensors = [torch.randn(3, 4).to(kind), torch.randn(()), torch.zeros(0), torch.full((2,), 1e300, dtype=torch.double)]
    before = [t.clone() for t in tensors]
    assert not_finite(tensors).item() == 0.0
    for at in (0, 1, 3):
        wrong = [t.clone() for t in tensors]
        wrong[at].view(-1)[-1] = value
        bad = not_finite(wrong)
        assert (bad.item(), bad.dtype) == (1.0, torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True)), "it changes nothing"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [(float("nan"),), (float("inf"),), (float("inf"), float("-inf"))])
def test_one_bad_value_in_a_large_tensor_is_found(kind, values):
    large = torch.full((2, finite.LARGE), 60_000.0).to(kind)  # whose sum no half holds
    assert not_finite([torch.ones(3), large]).item() == 0.0
    large.view(-1)[torch.tensor([7, -7])[: len(values)]] = torch.tensor(values).to(kind)
    assert not_finite([torch.ones(3), large]).item() == 1.0


def test_the_norm_is_that_of_all_values_together():
    tensors = [torch.randn(3, 4), torch.randn(()), torch.randn(2, 2, 2)]
    together = torch.cat([t.flatten() for t in tensors])
    torch.testing.assert_close(norm(tensors), together.norm())
