"""Strategies of translation. Batches hold a picture of domain a and one of domain b: a pair, or any two."""

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import l1_loss

from ganzoo import Settings, Strategy, Update
from ganzoo.evaluation.parts import features
from ganzoo_style.matching import features_apart, new_edges, patches_apart, perceptual_distances
from ganzoo_style.pool import Pool


class Pix2Pix(Strategy):
    """Pairs: the discriminator sees the source too, and an L1 distance holds the content (Isola et al., 2017).

    With `feature_matching` the discriminator's features of the output approach those of the target (Wang et al., 2018),
    with `perceptual` those of a frozen network at each place (Johnson et al., 2016), with `statistics` their mean and
    deviation over the picture (Huang and Belongie, 2017): for pairs that don't match in each pixel.
    """

    class Config(Settings):
        l1: float = Field(100.0, ge=0, le=1e6, description="weight of the L1 distance to the target")
        feature_matching: float = Field(0.0, ge=0, le=1e6, description="weight of the distance of features; 0: none")
        perceptual: float = Field(0.0, ge=0, le=1e6, description="weight of the perceptual distance; 0: none")
        statistics: float = Field(0.0, ge=0, le=1e6, description="weight of the features' statistics; 0: none")
        network: str = Field("effnet-lite0", max_length=200, description="feature network of these two")

    inputs = "a", "b"

    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        perceives = self.config.perceptual or self.config.statistics
        self.features = features(self.config.network) if perceives else None

    def step(self, nets, batches):
        G, D, weights = nets.generator, nets.discriminator, self.config
        a, b = next(batches)
        fake = G(a)
        real_logits, fake_logits = self.logits(D, (b, fake.detach()), a)
        yield Update(D, self.loss.discriminator(real_logits, fake_logits) / 2)
        seen, distance = D.outputs(fake, a), l1_loss(fake, b)
        adversarial = self.loss.generator(seen.logits, self.real_logits(D, b, a))
        loss = adversarial + weights.l1 * distance
        if weights.feature_matching:
            with torch.no_grad():
                wanted = D.outputs(b, a).features
            loss = loss + weights.feature_matching * features_apart(seen.features, wanted)
        if self.features is not None:
            places, statistics = perceptual_distances(self.features, fake, b)
            loss = loss + weights.perceptual * places + weights.statistics * statistics
        yield Update(G, loss, l1=distance, adversarial=adversarial)


class CycleGAN(Strategy):
    """Unpaired: there and back again gives the picture (Zhu et al., 2017).

    A picture that is in a generator's target domain already should stay as it is (`identity`). Both pictures of a
    generator go through it in one pass. The discriminators see some older translations (`pool`). The loss
    `least-squares` halves its terms, so with it `cycle` and `identity` count double against the paper's: 5 and 2.5 are
    its 10 and 5.
    """

    class Config(Settings):
        cycle: float = Field(10.0, ge=0, le=1e6, description="weight of the distance after there and back")
        identity: float = Field(5.0, ge=0, le=1e6, description="weight of what a generator does to its target domain")
        pool: int = Field(50, ge=0, le=10_000, description="older translations kept for each discriminator; 0: none")

    networks = "a_to_b", "b_to_a", "discriminator_a", "discriminator_b"
    inputs = "a", "b"
    per_sample = False  # which older translations are shown depends on the whole batch

    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.pools = nn.ModuleDict({domain: Pool(self.config.pool) for domain in "ab"})

    def step(self, nets, batches):
        a, b = next(batches)
        (fake_b, same_b), (fake_a, same_a) = both(nets.a_to_b, a, b), both(nets.b_to_a, b, a)
        cycle = l1_loss(nets.b_to_a(fake_b), a) + l1_loss(nets.a_to_b(fake_a), b)
        identity = l1_loss(same_b, b) + l1_loss(same_a, a)
        sides = [("a", nets.discriminator_a, a, fake_a), ("b", nets.discriminator_b, b, fake_b)]
        loss = self.config.cycle * cycle + self.config.identity * identity
        for _, D, real, fake in sides:
            loss = loss + self.loss.generator(D(fake), self.real_logits(D, real))
        yield Update((nets.a_to_b, nets.b_to_a), loss, cycle=cycle, identity=identity)
        for domain, D, real, fake in sides:
            real_logits, fake_logits = self.logits(D, (real, self.pools[domain].mixed(fake.detach())))
            loss = self.loss.discriminator(real_logits, fake_logits) / 2
            yield Update(D, loss, {domain: fake} if self.config.pool else None)

    def keep(self, examples):
        for domain, images in examples.items():
            self.pools[domain].add(images)


class CUT(Strategy):
    """Unpaired, one generator: each patch is nearest to the patch that it was made from (Park et al., 2020, eq. 3-5).

    With `identity` above 0 the same is asked of pictures that are in the target domain already, which keeps colours.
    `edges` weighs what is drawn into even areas, or torn out of them: shapes stay, colours and shading are free.
    Each contrast is the mean over the scales. The loss `least-squares` halves its terms, so with it the contrasts count
    double against the paper's: 0.5 and 0.5 are its 1 and 1.
    """

    class Config(Settings):
        contrast: float = Field(1.0, ge=0, le=1e6, description="weight of the contrast between patches")
        identity: float = Field(1.0, ge=0, le=1e6, description="its weight on pictures of the target domain; 0: none")
        edges: float = Field(0.0, ge=0, le=1e6, description="weight of edges where the source has none")
        patches: int = Field(256, ge=2, le=4096, description="places of each scale that are compared")
        temperature: float = Field(0.07, ge=1e-3, le=10, description="of the softmax over patches")

    networks = "generator", "discriminator", "heads"
    inputs = "a", "b"

    def step(self, nets, batches):
        G, D, heads = nets.generator, nets.discriminator, nets.heads
        a, b = next(batches)
        fake, same = both(G, a, b) if self.config.identity else (G(a), None)
        real_logits, fake_logits = self.logits(D, (b, fake.detach()))
        yield Update(D, self.loss.discriminator(real_logits, fake_logits) / 2)
        contrast = self.config.contrast * self.contrast(G, heads, fake, a)
        if same is not None:
            contrast = contrast + self.config.identity * self.contrast(G, heads, same, b)
        drawn = new_edges(fake, a)
        adversarial = self.loss.generator(D(fake), self.real_logits(D, b))
        loss = adversarial + contrast + self.config.edges * drawn
        yield Update((G, heads), loss, contrast=contrast, adversarial=adversarial, new_edges=drawn)

    def contrast(self, G, heads, made, source):
        return patches_apart(heads, G.features(made), G.features(source), self.config.patches, self.config.temperature)


def both(G, source, target):
    """A generator's translations of both domains' pictures in one pass."""
    return G(torch.cat([source, target])).chunk(2)
