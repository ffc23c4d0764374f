"""Both networks in balance, held there by a control loop."""

import torch
from pydantic import Field

from ganzoo import Settings, Strategy, Update


class BEGAN(Strategy):
    """Fakes are to be given back worse than reals by a constant factor (Berthelot et al., 2017, section 3.4).

    The discriminator's logit is minus its error L(x) in giving an image back.
    """

    class Config(Settings):
        diversity: float = Field(0.5, ge=0, le=1, description="error of fakes over that of reals (gamma)")
        gain: float = Field(1e-3, ge=0, le=1, description="of the control loop (lambda)")

    needs_loss = False

    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.register_buffer("k", torch.zeros(()))

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        real_logits, fake_logits = self.logits(D, (real, fake.detach()), *condition)
        of_real, of_fake = -real_logits.mean(), -fake_logits.mean()
        balance = self.config.diversity * of_real - of_fake
        convergence = of_real + balance.abs()
        yield Update(D, of_real - self.k * of_fake, balance=balance, convergence=convergence, k=self.k.clone())
        yield Update(G, -D(fake, *condition).mean())

    def after_step(self, means):
        self.k.add_(self.config.gain * means["discriminator/balance"]).clamp_(0, 1)
