"""A seed's images are the same whatever the model's dtype, torch's default dtype and torch's default device."""

import pytest
import torch

import ganzoo

INFOGAN = {"size": 28, "channels": 1, "width": 4, "latent_size": 20, "categories": 4, "values": 17}


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "dcgan", "size": 28, "channels": 1, "width": 4, "latent_size": 64},
        {"name": "infogan", **INFOGAN},
        {"name": "pixelcnn", "size": 8, "channels": 1, "width": 4, "depth": 1},
    ],
    ids=lambda settings: settings["name"],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_network_of_another_dtype_has_the_same_latents(settings, dtype):
    network = ganzoo.build(**settings)
    torch.manual_seed(0)
    wanted = network.latent(5)
    torch.manual_seed(0)
    found = network.to(dtype).latent(5)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), wanted, atol=0.01, rtol=0.01)
    assert settings["name"] != "pixelcnn" or found.max() < 1


def test_a_model_in_double_precision_makes_the_same_images():
    model = ganzoo.load("cgan-mnist", device="cpu")
    wanted = model.sample(3, seed=1)
    torch.testing.assert_close(model.to(torch.float64).sample(3, seed=1), wanted, atol=1e-4, rtol=0)


def test_torchs_default_dtype_changes_no_model():
    wanted = ganzoo.load("cgan-mnist", device="cpu").sample(3, seed=1)
    torch.set_default_dtype(torch.float64)
    try:
        model = ganzoo.load("cgan-mnist", device="cpu")
        assert next(model.network.parameters()).dtype == torch.float32
        assert torch.equal(model.sample(3, seed=1), wanted)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("labels", [{}, {"label": 3}, {"label": [3, 1, 2]}])
def test_torchs_default_device_changes_no_model(labels):
    wanted = ganzoo.load("cgan-mnist", device="cpu").sample(3, seed=1, **labels)
    with torch.device("meta"):  # a device that holds no number: whatever were made there would be lost
        model = ganzoo.load("cgan-mnist", device="cpu")
        found = model.sample(3, seed=1, **labels)
    assert torch.equal(found, wanted)
