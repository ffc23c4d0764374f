"""bf16 on a CPU: who trains or loads in it where software computes it hears how slow that is, and nobody else."""

import platform

import pytest
import torch

import ganzoo
from ganzoo.precision import exact_on_cpu, over_float32
from tests.support import ganzoo_command, python

WORDS = "times as long for bfloat16 as for float32: train with training.precision=fp32 here"
WITHOUT = {"ONEDNN_MAX_CPU_ISA": "AVX2"}  # as on a CPU that has no instructions for bf16
X86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="not run: the variable is for x86 CPUs")
STEP = ["gan-mnist", "--set", "training.images=64", "--device", "cpu"]


@X86
def test_a_training_in_bf16_says_that_this_cpu_is_slow_at_it(tmp_path):
    done = ganzoo_command("train", *STEP, "--set", "training.precision=bf16", "--out", str(tmp_path / "a"), **WITHOUT)
    assert done.returncode == 0, done.stderr
    assert WORDS in done.stdout + done.stderr
    done = ganzoo_command("train", *STEP, "--out", str(tmp_path / "b"), **WITHOUT)
    assert done.returncode == 0, done.stderr
    assert WORDS not in done.stdout + done.stderr


@X86
def test_a_model_loaded_in_half_precision_says_that_this_cpu_is_slow_at_it():
    load = "import ganzoo, torch; ganzoo.load('cgan-mnist', device='cpu', dtype=torch.bfloat16)"
    done = python(load, **WITHOUT)
    assert done.returncode == 0, done.stderr
    assert "times as long for bfloat16 as for float32: keep models in float32 here" in done.stderr


@pytest.mark.skipif(
    not torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported(),
    reason="not run: this CPU doesn't multiply bf16",
)
def test_a_cpu_that_multiplies_bf16_is_quicker_with_it_and_hears_no_warning(tmp_path):
    assert min(over_float32(torch.bfloat16) for _ in range(5)) < 1
    done = ganzoo_command("train", *STEP, "--set", "training.precision=bf16", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert WORDS not in done.stdout + done.stderr


def test_what_bf16_costs_is_measured_without_touching_random_numbers():
    before = torch.random.get_rng_state()
    assert over_float32(torch.bfloat16) > 0
    assert torch.equal(before, torch.random.get_rng_state())


def test_networks_that_bf16_slows_down_stay_in_float32_on_a_cpu():
    layer, x = torch.nn.Conv2d(3, 4, 3), torch.ones(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
        with exact_on_cpu():
            assert layer(x).dtype == torch.float32
        assert layer(x).dtype == torch.bfloat16
    with exact_on_cpu():
        assert layer(x).dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")


def test_a_projected_discriminator_is_exact_in_bf16_training_on_a_cpu():
    """Its last map has one pixel here, where gradients in bf16 aren't always finite (torch 2.13)."""
    discriminator = ganzoo.build("projected", size=32, channels=3, network="discriminator", resolution=32)
    images = torch.linspace(-1, 1, 8 * 3 * 32 * 32).reshape(8, 3, 32, 32)
    weights = list(discriminator.parameters())

    def gradients():
        return torch.autograd.grad(sum(logits.sum() for logits in discriminator(images)), weights)

    wanted = gradients()
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients()
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(found, wanted, strict=True))
