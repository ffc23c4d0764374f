"""Strategies of translation. Batches hold a picture of domain a and one of domain b: a pair, or any two."""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import l1_loss

from ganzoo import Settings, Strategy, Update


class Pix2Pix(Strategy):
    """Paired translation: the discriminator sees the source too, and the L1 distance holds content (Isola et al., 2017).

    With `feature_matching` the discriminator's features of the output approach those of the target (Wang et al., 2018).
    """

    class Config(Settings):
        l1: float = Field(100.0, ge=0, le=1e6, description="weight of the L1 distance to the target")
        feature_matching: float = Field(0.0, ge=0, le=1e6, description="weight of the distance of features; 0: none")

    inputs = "a", "b"

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        a, b = next(batches)
        fake = G(a)
        real_logits, fake_logits = self.logits(D, (b, fake.detach()), a)
        yield Update(D, self.loss.discriminator(real_logits, fake_logits) / 2)
        seen = D.outputs(fake, a)
        adversarial = self.loss.generator(seen.logits, self.real_logits(D, b, a))
        distance = l1_loss(fake, b)
        loss = adversarial + self.config.l1 * distance
        if self.config.feature_matching:
            with torch.no_grad():
                wanted = D.outputs(b, a).features
            loss = loss + self.config.feature_matching * features_apart(seen.features, wanted)
        yield Update(G, loss, l1=distance, adversarial=adversarial)


def features_apart(made: list[list[Tensor]], wanted: list[list[Tensor]]) -> Tensor:
    """Mean L1 distance over the layers of each scale."""
    pairs = [pair for scale in zip(made, wanted, strict=True) for pair in zip(*scale, strict=True)]
    return torch.stack([l1_loss(a, b) for a, b in pairs]).mean()
