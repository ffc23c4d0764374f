"""The works as components that ganzoo's engine takes, with three strategies that are written for the comparison."""

from typing import Any

import torch
from torch.nn.functional import l1_loss, mse_loss

import ganzoo
from ganzoo import Architecture, ResidentDataset, Spec, Strategy, Update
from ganzoo.penalties import squared_gradient_norms
from ganzoo.recipes import Recipe
from ganzoo.registry import registry
from ganzoo.resolve import Parts
from tests.benchmarks.works import R1_EVERY, Work


class CycleGAN(Strategy):
    """Two generators and two discriminators, least squares, cycle and identity (Zhu et al., 2017)."""

    networks = "ab", "ba", "d_a", "d_b"
    inputs = "a", "b"
    needs_loss = False

    def step(self, nets, batches):
        a, b = next(batches)
        fake_b, same_b = nets.ab(torch.cat([a, b])).chunk(2)
        fake_a, same_a = nets.ba(torch.cat([b, a])).chunk(2)
        cycle = l1_loss(nets.ba(fake_b), a) + l1_loss(nets.ab(fake_a), b)
        adversarial = (nets.d_b(fake_b) - 1).square().mean() + (nets.d_a(fake_a) - 1).square().mean()
        loss = adversarial + 10 * cycle + 5 * (l1_loss(same_a, a) + l1_loss(same_b, b))
        yield Update((nets.ab, nets.ba), loss, cycle=cycle, adversarial=adversarial)
        updates = []
        for D, real, fake in ((nets.d_a, a, fake_a), (nets.d_b, b, fake_b)):
            r, f = self.logits(D, (real, fake.detach()))
            updates.append(Update(D, ((r - 1).square().mean() + f.square().mean()) / 2))
        yield tuple(updates)


class SRGAN(Strategy):
    """An adversarial and a perceptual term (Ledig et al., 2017)."""

    inputs = "low", "high"

    def __init__(self, config=None, loss=None, perception=None):
        super().__init__(config, loss)
        self.perception = perception

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        low, high = next(batches)
        fake = G(low)
        yield Update(D, self.loss.discriminator(*self.logits(D, (high, fake.detach()))))
        with torch.no_grad():
            wanted = self.perception(high)
        content = mse_loss(self.perception(fake), wanted)
        yield Update(G, content + 1e-3 * self.loss.generator(D(fake)), content=content)


class LazyR1(Strategy):
    """The penalty on real images at every fourth step, at four times the weight (Karras et al., 2020)."""

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        (real,) = next(batches)
        fake = G(G.latent(len(real)))
        lazy = self.due(R1_EVERY)
        real.requires_grad_(lazy)
        real_logits, fake_logits = self.logits(D, (real, fake.detach()))
        loss = self.loss.discriminator(real_logits, fake_logits)
        if lazy:
            loss = loss + R1_EVERY / 2 * squared_gradient_norms([real_logits], [real])[0].mean()
        yield Update(D, loss)
        yield Update(G, self.loss.generator(D(fake)))


def parts(work: Work, changes: dict[str, Any] | None = None) -> Parts:
    """The work as components that the engine takes, and changes to the recipe."""
    recipe = Recipe.parse(
        {
            "name": "benchmark",
            "task": "transform" if work.step in ("cyclegan", "srgan") else "generate",
            "architecture": {"name": "given"},
            "strategy": {"name": work.step},
            "loss": {"name": work.loss or "non-saturating"},
            "data": {"name": "given"},
            "training": {
                "images": 10**9,
                "batch_size": work.batch,
                "optimizer": {"lr": work.lr, "betas": list(work.betas)},
                "ema": {name: {} for name in work.averaged},
            },
        }
    )
    built = work.networks()

    class Given(Architecture):
        networks = published = tuple(built)
        channels_last = any(isinstance(m, torch.nn.Conv2d) for net in built.values() for m in net.modules())

        def build(self, network: str) -> torch.nn.Module:
            return built[network]

    class Data(ResidentDataset):
        def __init__(self) -> None:
            columns = work.data()
            self.spec = Spec(name="given", count=len(next(iter(columns.values()))), licence="CC0-1.0")
            self.hold(**columns)

    ganzoo.register("architecture", "given", Given)
    ganzoo.register("dataset", "given", Data)
    recipe = recipe.changed({"data.conditions": [c for c in work.data() if c == "label"], **(changes or {})})
    data, loss = Data(), registry().get("loss", recipe.loss.name)()
    return Parts(recipe, data.spec, data, Given(), loss, _strategy(work, loss))


def _strategy(work: Work, loss) -> Strategy:
    own = {"cyclegan": CycleGAN, "srgan": SRGAN, "stylegan2": LazyR1}
    if work.step == "srgan":
        return SRGAN(None, loss, work.perception())
    return (own.get(work.step) or registry().get("strategy", work.step))(None, loss)
