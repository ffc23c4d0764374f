"""Large layers are multiplied by oneDNN where it is quicker; the result is float32's, and nothing else is touched."""

import re

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo import products
from tests.support import ganzoo_command

LARGE = [nn.Linear(512, 512)]
AMD = products._is_amd_with_avx512()
HERE = pytest.mark.skipif(not AMD, reason="not run: for AMD's processors with AVX-512")
TRAIN = ["train", "gan-mnist", "--set", "training.images=64", "--device", "cpu"]


@pytest.fixture
def amd(monkeypatch):
    """As if this were such a processor; on another its kernels show what they do with the permission."""
    monkeypatch.setattr(products, "_is_amd_with_avx512", lambda: True)


def within(networks, micro_batch=64):
    with products.quick_products(networks, micro_batch):
        return torch.get_float32_matmul_precision()


@HERE
def test_a_training_with_large_layers_multiplies_by_onednn_and_one_with_thin_layers_does_not(tmp_path):
    verbose, thin = {"ONEDNN_VERBOSE": "1"}, ["--set", "architecture.width=8", "--set", "training.batch_size=2"]
    large = ganzoo_command(*TRAIN, "--out", str(tmp_path / "a"), **verbose)
    small = ganzoo_command(*TRAIN, *thin, "--out", str(tmp_path / "b"), **verbose)
    for done in (large, small):
        assert done.returncode == 0, done.stderr
    found = [line for line in large.stdout.splitlines() if "exec,cpu,matmul" in line]
    assert found
    kinds = [re.findall(r"(src|wei|dst)[:_](\w+?):", line) for line in found]  # torch 2.6 writes src_f32
    assert all(dict(kind) == {"src": "f32", "wei": "f32", "dst": "f32"} for kind in kinds)
    assert "exec,cpu,matmul" not in small.stdout


@HERE
def test_they_are_float32_products_at_every_size():
    """To 1e-6 of their size, where bfloat16 is off by 2e-3 and TF32 by 3e-4."""
    with products.quick_products(LARGE, 64):
        for rows, inner, columns in (1, 512, 512), (64, 784, 512), (128, 100, 6272), (300, 1000, 7):
            a, b = torch.randn(rows, inner), torch.randn(inner, columns)
            exact = a.double() @ b.double()
            assert (a @ b - exact).norm() <= 1e-6 * exact.norm()
            assert (a @ b.t().contiguous().t() - exact).norm() <= 1e-6 * exact.norm()


def test_only_large_layers_ask_for_it_and_afterwards_all_is_as_it_was(amd):
    torch.set_float32_matmul_precision("medium")
    kept = products.products_are_float32()  # as on AMD's; not with AMX
    torch.set_float32_matmul_precision("highest")
    assert kept or not AMD
    assert within(LARGE) == ("medium" if kept else "highest")
    assert within([nn.Linear(512, 512, device="meta")]) == "highest"
    assert within([nn.Linear(8, 8)]) == within([nn.Conv2d(3, 512, 3)]) == within(LARGE, 1) == "highest"
    with pytest.raises(KeyboardInterrupt), products.quick_products(LARGE, 64):
        raise KeyboardInterrupt
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_precision_that_the_program_chose_stays(amd):
    torch.set_float32_matmul_precision("high")
    try:
        assert within(LARGE) == "high"
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_products_that_round_to_bfloat16_are_found_out_and_not_used(amd):
    assert products.products_are_float32()
    with torch.autocast("cpu", torch.bfloat16):
        assert not products.products_are_float32()
        assert within(LARGE) == "highest"
        torch.set_default_dtype(torch.float64)  # which says nothing of float32
        try:
            assert not products.products_are_float32()
        finally:
            torch.set_default_dtype(torch.float32)


def test_a_trained_run_leaves_the_precision_alone(tmp_path):
    ganzoo.train(ganzoo.recipe("gan-mnist").changed({"training.images": 64}), out=tmp_path / "run", device="cpu")
    assert torch.get_float32_matmul_precision() == "highest"
