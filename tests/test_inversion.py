"""From pictures back to latents: what a model made is found again, and several pictures share one latent."""

import pytest
import torch

import ganzoo
from ganzoo.errors import ModelError
from ganzoo.images import to_pil
from tests.support import tiny

LABELS = [3, 7]


@pytest.fixture(scope="module")
def digits():
    return ganzoo.load("cgan-mnist", device="cpu")


def error(made, wanted):
    return (made - wanted).square().flatten(1).mean(1)


def test_what_a_model_made_is_found_again(digits):
    wanted = digits.sample(2, seed=5, label=LABELS)
    latents = digits.invert(wanted, label=LABELS, steps=40)
    assert latents.shape == (2, 64)
    again = digits.sample(2, latents=latents, label=LABELS)
    others = digits.sample(2, seed=6, label=LABELS)
    assert (error(again, wanted) < 0.1 * error(others, wanted)).all()
    assert not latents.requires_grad
    assert all(p.grad is None and not p.requires_grad for p in digits.network.parameters())


def test_each_picture_is_looked_for_by_itself_and_alike_every_time(digits):
    wanted = digits.sample(2, seed=5, label=LABELS)
    both = digits.invert(wanted, label=LABELS, steps=5)
    assert torch.equal(both, digits.invert(wanted, label=LABELS, steps=5))
    torch.testing.assert_close(both[1:], digits.invert(wanted[1:], label=[7], steps=5), atol=1e-4, rtol=1e-4)
    assert not torch.equal(both, digits.invert(wanted, label=LABELS, steps=5, seed=1))


def test_pictures_share_a_latent_that_holds_for_other_labels(digits):
    hidden = digits.latents(9, 0, 1)
    whole = digits.sample(10, latents=hidden.expand(10, -1), label=list(range(10)))
    latent = digits.invert(whole[:4], label=[0, 1, 2, 3], shared=True, steps=60)
    assert latent.shape == hidden.shape
    completed = digits.sample(10, latents=latent.expand(10, -1), label=list(range(10)))
    others = torch.stack([digits.sample(10, latents=digits.latents(i, 0, 1).expand(10, -1)) for i in range(10, 20)])
    strangers = (others - whole).square().flatten(2).mean(2).mean(0)
    assert error(completed, whole)[4:].mean() < 0.5 * strangers[4:].mean()  # digits that it was never shown


def test_pil_pictures_are_scaled_as_data_are(digits):
    wanted = digits.sample(1, seed=5, label=3)
    large = to_pil(wanted[0]).convert("RGB").resize((112, 112))
    latents = digits.invert(large, label=3, steps=40)
    others = digits.sample(1, seed=6, label=3)
    assert error(digits.sample(1, latents=latents, label=3), wanted) < 0.3 * error(others, wanted)
    assert torch.equal(latents, digits.invert([large], label=3, steps=40))


def test_it_works_where_gradients_are_off(digits):
    wanted = digits.sample(1, seed=5, label=3)
    usual = digits.invert(wanted, label=3, steps=3)
    with torch.no_grad():
        assert torch.equal(usual, digits.invert(wanted, label=3, steps=3))
    with torch.inference_mode():
        inside = digits.sample(1, seed=5, label=3)
        assert torch.equal(usual, digits.invert(inside, label=3, steps=3))
        loaded = ganzoo.load("cgan-mnist", device="cpu")
    assert torch.equal(usual, loaded.invert(wanted, label=3, steps=3))


@pytest.mark.parametrize(
    ("images", "settings", "words"),
    [
        ("a path.png", {}, "takes PIL pictures or a tensor of images, not str"),
        ([], {}, "takes PIL pictures or a tensor of images, not list"),
        (torch.zeros(2, 1, 32, 32), {}, r"of shape \(2, 1, 32, 32\) .* 'cgan-mnist' makes 28x28"),
        (torch.zeros(2, 3, 28, 28), {}, r"takes \(N, 1, H, W\)"),
        (torch.full((2, 1, 28, 28), 255.0), {}, "these are floats from 255 to 255"),
        (torch.zeros(2, 1, 28, 28), {"label": [1, 2, 3]}, "3 labels were given for 2 images"),
        (torch.zeros(2, 1, 28, 28), {"label": 11}, "has no label 11"),
        (torch.zeros(2, 1, 28, 28), {"steps": 0}, "steps must be a whole number from 1"),
        (torch.zeros(2, 1, 28, 28), {"style": 1}, "no condition 'style'; it takes label"),
    ],
)
def test_bad_requests_are_refused(digits, images, settings, words):
    with pytest.raises(ModelError, match=words):
        digits.invert(images, **settings)


def test_models_without_a_way_back_say_so():
    with pytest.raises(ModelError, match="'srresnet-photos-x4' transforms images, and takes no latents"):
        ganzoo.load("srresnet-photos-x4", device="cpu").invert(torch.zeros(1, 3, 64, 64))
    autoregressive = ganzoo.load("pixelcnn-mnist", device="cpu")
    with pytest.raises(ModelError, match="'pixelcnn-mnist' can't be inverted: no gradient of an image reaches"):
        autoregressive.invert(torch.zeros(1, 1, 28, 28), label=3, steps=1)


def test_a_style_and_its_noise_are_found_together(tmp_path):
    model = ganzoo.train(tiny("stylegan2-glyphs"), out=tmp_path / "run", device="cpu").model(device="cpu")
    wanted = model.sample(1, seed=5, label="A")
    latents = model.invert(wanted, label="A", steps=3)
    assert latents.shape == model.latents(0, 0, 1).shape
    with pytest.raises(ModelError, match="invert takes no truncation"):
        model.invert(wanted, label="A", truncation=0.5)
