"""Several generator updates for each of the discriminator."""

from pydantic import Field

from ganzoo import Settings, Strategy, Update


class Wave(Strategy):
    """One discriminator update, then a few of the generator, each on new latents (after Goodfellow et al., 2014)."""

    class Config(Settings):
        generator_steps: int = Field(2, ge=1, le=16, description="generator updates per discriminator update")

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition).detach()
        yield Update(D, self.loss.discriminator(*self.logits(D, (real, fake), *condition)))
        for _ in range(self.config.generator_steps):
            fake = G(G.latent(len(real)), *condition)
            yield Update(G, self.loss.generator(D(fake, *condition), self.real_logits(D, real, *condition)))
