"""What is particular to single strategies: state, codes, classes, likelihood."""

import math

import pytest
import torch

import ganzoo
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from ganzoo.testing import checks_of
from ganzoo.testing.makers import model_of
from tests.support import tiny


def networks(recipe, seed=0):
    parts = resolve(recipe)
    torch.manual_seed(seed)
    nets = type("Nets", (), {name: parts.architecture.build(name) for name in parts.strategy.networks})
    batch = parts.dataset.read(parts.columns, 0, 0, 16)
    return parts, nets, batch


def test_a_strategy_names_the_architectures_that_have_what_it_needs():
    recipe = tiny("gan-mnist").tables() | {"strategy": {"name": "infogan"}}
    with pytest.raises(
        RecipeError, match="needs networks with 'code', and architecture 'mlp' has nothing of that kind"
    ):
        resolve(ganzoo.recipe(recipe))
    with pytest.raises(RecipeError, match="these have it: infogan"):
        resolve(ganzoo.recipe(recipe))


def test_began_raises_k_while_fakes_are_given_back_too_well():
    BEGAN = registry().get("strategy", "began")
    strategy = BEGAN(BEGAN.Config(gain=0.1))
    for balance, k in ((2.0, 0.2), (1.0, 0.3), (-4.0, 0.0), (100.0, 1.0)):
        strategy.after_step({"discriminator/balance": torch.tensor(balance)})
        assert strategy.k.item() == pytest.approx(k)


def test_began_weighs_the_error_of_fakes_by_k():
    parts, nets, batch = networks(tiny("began-mnist"))
    losses = []
    for k in (0.0, 1.0):
        parts.strategy.k.fill_(k)
        torch.manual_seed(1)
        losses.append(next(parts.strategy.step(nets, iter([batch]))))
    real, both = (update.loss for update in losses)
    torch.manual_seed(1)
    fake = nets.generator(nets.generator.latent(16))
    torch.testing.assert_close(real - both, -nets.discriminator(fake).mean())
    torch.testing.assert_close(real, -nets.discriminator(batch[0]).mean())


def test_infogan_moves_the_discriminator_by_the_information_alone_in_the_generators_turn():
    parts, nets, batch = networks(tiny("infogan-mnist"))
    for seed, weight in ((2, 0.0), (2, 1.0)):
        parts.strategy.__dict__["config"] = parts.strategy.Config(information=weight)
        torch.manual_seed(seed)
        _, (of_generator, of_discriminator) = parts.strategy.step(nets, iter([batch]))
        assert of_generator.networks == (nets.generator,)
        assert of_discriminator.networks == (nets.discriminator,)
        if not weight:
            assert of_discriminator.loss == 0


def test_infogan_adds_the_likelihoods_of_all_values_of_the_code():
    parts, nets, batch = networks(tiny("infogan-mnist", **{"architecture.values": 3}))
    seen = []
    nets.discriminator.recover.register_forward_hook(lambda layer, given, out: seen.append(out.detach()))
    latents, draw = [], nets.generator.latent
    nets.generator.latent = lambda count: latents.append(draw(count)) or latents[-1]
    _, (_, of_discriminator) = parts.strategy.step(nets, iter([batch]))
    category, values = nets.generator.code(latents[0])
    likelihood = torch.distributions.Normal(seen[-1][:, -3:], 1.0).log_prob(values) + math.log(2 * math.pi) / 2
    named = torch.distributions.Categorical(logits=seen[-1][:, :-3]).log_prob(category)
    expected = (likelihood.sum(1) + named).mean()
    torch.testing.assert_close(of_discriminator.metrics["information"], expected)


def test_the_code_is_a_part_of_the_latent():
    G = ganzoo.build("infogan", size=28, channels=1, width=4, latent_size=5, categories=4, values=3)
    latents = G.latent(200)
    assert latents.shape == (200, 12)
    category, values = G.code(latents)
    assert set(category.tolist()) == {0, 1, 2, 3}
    assert -1 <= values.min() < -0.9 < 0.9 < values.max() < 1
    assert torch.equal(latents[:, 5:9].sum(1), torch.ones(200))


def test_acgan_trains_both_networks_on_the_class():
    parts, nets, batch = networks(tiny("acgan-mnist"))
    first, second = parts.strategy.step(nets, iter([batch]))
    expected = torch.nn.functional.cross_entropy(nets.discriminator.outputs(batch[0]).classes, batch[1])
    torch.testing.assert_close(first.metrics["class_real"], expected)
    G = nets.generator
    (gradient,) = torch.autograd.grad(second.loss, [G.embed.weight])
    assert gradient[batch[1].unique()].abs().sum(1).gt(0).all()


def test_acgan_s_discriminator_learns_classes_of_fakes_as_much_as_it_is_told_to():
    parts, nets, batch = networks(tiny("acgan-mnist"))
    losses = {}
    for weight in (0.0, 1.0):
        parts.strategy.__dict__["config"] = parts.strategy.Config(fake_weight=weight)
        torch.manual_seed(0)
        update = next(iter(parts.strategy.step(nets, iter([batch]))))
        losses[weight], of_fakes = update.loss, update.metrics["class_fake"]
    torch.testing.assert_close(losses[1.0] - losses[0.0], of_fakes)


def test_the_divergence_of_a_posterior():
    from ganzoo_variational.strategies import posterior

    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 0.5]])
    normal, prior = torch.distributions.Normal, torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(normal(mean, (log_variance / 2).exp()), prior).sum()
    torch.testing.assert_close(posterior(mean, log_variance)[1], expected)


def test_the_two_likelihoods_of_a_vae_are_those_of_their_distributions():
    """Distortion and constants against torch's own distributions, in nats of a value."""
    parts, nets, (real, *_) = networks(tiny("vae-mnist"))
    real = (real > 0).to(real) * 2 - 1  # black or white
    for likelihood in ("normal", "bernoulli"):
        parts.strategy.__dict__["config"] = parts.strategy.Config(likelihood=likelihood, deviation=0.5)
        torch.manual_seed(0)
        (update,) = parts.strategy.step(nets, iter([(real,)]))
        torch.manual_seed(0)
        mean, log_variance = nets.encoder(real)
        made = nets.generator(mean + (log_variance / 2).exp() * torch.randn_like(mean))
        if likelihood == "normal":
            log_p = torch.distributions.Normal(made, 0.5).log_prob(real)
        else:
            log_p = torch.distributions.Bernoulli((made + 1) / 2).log_prob((real + 1) / 2)
        expected = -log_p.mean() + update.metrics["rate"] / real[0].numel()
        torch.testing.assert_close(update.metrics["nats_per_value"], expected)


def test_vae_gan_moves_three_networks_at_once():
    parts, nets, batch = networks(tiny("vaegan-mnist"))
    ((of_encoder, of_generator, of_discriminator),) = parts.strategy.step(nets, iter([batch]))
    assert of_encoder.networks == (nets.encoder,)
    assert of_generator.networks == (nets.generator,)
    assert of_discriminator.networks == (nets.discriminator,)
    assert of_encoder.metrics["content"] > 0


@pytest.mark.parametrize("name", ["pixelcnn", "conditional-pixelcnn"])
def test_pixelcnn_draws_from_the_distribution_that_it_is_trained_to_have(name):
    """Pixel by pixel from kept columns, and the whole network at once, say the same of every pixel."""
    torch.manual_seed(0)
    settings = {"classes": 3} if "conditional" in name else {}
    G = ganzoo.build(name, size=7, levels=4, width=8, depth=2, reach=2, **settings)
    label = [torch.arange(3)] if settings else []
    with torch.no_grad():
        for parameter in G.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        latents = G.latent(3)
        made = G.sample(latents, *label)
        assert 0 < made.add(1).mul(1.5).round().unique().numel() <= 4
        for row in range(7):
            for column in range(7):
                scores = []
                for level in range(4):
                    other = made.clone()
                    other[:, 0, row, column] = level / 1.5 - 1
                    other[:, 0, row, column + 1 :] = -1  # what comes later can't matter to what is asked
                    other[:, 0, row + 1 :] = -1
                    scores.append(pixel(G, other, row, column, label))
                shares = torch.stack(scores, 1).softmax(1).cumsum(1)
                drawn = (shares[:, :-1] <= latents[:, :, row, column]).sum(1)
                assert torch.equal(drawn / 1.5 - 1, made[:, 0, row, column])


def pixel(G, images, row, column, label):
    """Log probability of one pixel's level, from the likelihoods of the image and of it without that pixel's term."""
    logits = []
    handle = G.head.register_forward_hook(lambda _, __, out: logits.append(out))
    G.log_likelihood(images, *label)
    handle.remove()
    level = ((images[:, 0, row, column] + 1) * 1.5).round().long()
    return logits[0].log_softmax(1)[torch.arange(len(images)), level, row, column]


def test_likelihoods_of_all_images_sum_to_one():
    torch.manual_seed(0)
    G = ganzoo.build("pixelcnn", size=4, levels=2, width=8, depth=1, reach=1)
    every = torch.tensor([[i >> b & 1 for b in range(16)] for i in range(2**16)], dtype=torch.float32).view(-1, 1, 4, 4)
    with torch.no_grad():
        total = torch.cat([G.log_likelihood(part * 2 - 1).double() for part in every.split(8192)]).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-4)


def test_a_model_that_no_file_can_hold_says_so(tmp_path):
    from ganzoo.portable import export

    subject = next(c.subject for c in checks_of("autoregressive") if c.subject.name == "pixelcnn")
    with pytest.raises(GanzooError, match="makes its images in a loop"):
        export(model_of(subject), tmp_path / "x.onnx", "onnx")
