"""StyleGAN2's step: style mixing, and a lazy penalty on path lengths."""

import torch
from pydantic import Field

from ganzoo import LazyUpdate, Settings, Strategy, Update, wide


class StyleGAN2(Strategy):
    """Style mixing and path length regularisation (Karras et al., 2019, section 3.1; 2020, "Analyzing", eq. 4).

    R1, lazily, is the regulariser `r1` with `every = 16`.
    """

    class Config(Settings):
        mixing: float = Field(0.9, ge=0, le=1, description="probability that an image has two styles")
        path_weight: float = Field(
            2.0, ge=0, le=1e3, description="of the path lengths' distance from their mean; 0: none"
        )
        path_every: int = Field(4, ge=1, le=1000, description="steps from one path update to the next")
        path_decay: float = Field(0.99, ge=0, lt=1, description="of the running mean of path lengths")

    needs = ("styles",)

    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.register_buffer("length", torch.zeros(()))

    def lazy(self, network):
        return (self.config.path_every,) if network == "generator" and self.config.path_weight else ()

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        latents = G.latent(len(real))
        fake = G.synthesize(self.mixed(G, latents, *condition), G.noise(latents))
        real_logits, fake_logits = self.logits(D, (real, fake.detach()), *condition)
        yield Update(D, self.loss.discriminator(real_logits, fake_logits))
        yield Update(G, self.loss.generator(D(fake, *condition), self.real_logits(D, real, *condition)))
        if self.config.path_weight and self.due(self.config.path_every):
            latents = G.latent(len(real))
            lengths = path_lengths(G, self.mixed(G, latents, *condition), G.noise(latents))
            penalty = self.config.path_weight * (lengths - self.length).square().mean()
            yield LazyUpdate(G, self.config.path_every * penalty, path_length=lengths.mean())

    def mixed(self, G, latents, *condition):
        """Styles (N, layers, w): for some images another latent's from a random layer on, which isn't the first."""
        styles, other = G.styles(latents, *condition), G.styles(G.latent(len(latents)), *condition)
        draw = torch.rand(2, len(latents), 1, device=latents.device)
        layer = torch.arange(G.layers, device=latents.device)
        return other.where(((draw[0] < self.config.mixing) & (layer > draw[1] * (G.layers - 1)))[:, :, None], styles)

    def after_step(self, means):
        if (length := means.get("generator/path_length")) is not None:
            length = length.to(self.length.dtype)
            # from 0 the mean rises at once: what it doesn't know yet it takes from the first lengths
            self.length.copy_(
                torch.where(self.length == 0, length, self.length.lerp(length, 1 - self.config.path_decay))
            )


def path_lengths(G, styles, noise):
    """Length of the styles' gradient of a random projection of each image, (N,)."""
    images = G.synthesize(styles.requires_grad_(), noise)  # those of a frozen mapping have no gradient by themselves
    projected = (images * torch.randn_like(images)).sum() / images[0, 0].numel() ** 0.5
    (gradient,) = torch.autograd.grad(projected, [styles], create_graph=True)
    return (wide(gradient).square().sum(2).mean(1) + 1e-12).sqrt()
