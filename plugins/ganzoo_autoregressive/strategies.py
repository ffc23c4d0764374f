"""Maximum likelihood."""

import math

from ganzoo import Strategy, Update


class PixelCNN(Strategy):
    """One update that raises the likelihood of real images (van den Oord et al., 2016, "Pixel recurrent networks")."""

    networks = ("generator",)
    needs = ("likelihood",)
    needs_loss = False

    def step(self, nets, batches):
        real, *condition = next(batches)
        nats = -nets.generator.log_likelihood(real, *condition).mean() / real[0].numel()
        yield Update(nets.generator, nats, bits_per_value=nats / math.log(2))
