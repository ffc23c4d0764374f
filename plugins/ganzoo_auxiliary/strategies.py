"""The adversarial game with a second task for the discriminator."""

from pydantic import Field
from torch.nn.functional import cross_entropy

from ganzoo import Settings, Strategy, Update, wide


class ACGAN(Strategy):
    """The discriminator names the class of real and fake images, the generator makes it right (Odena et al., 2017).

    A discriminator that learns classes of fakes too may take any mark that the generator gives them for their class;
    without `fake_weight` the generator has to draw what real images of the class look like.
    """

    class Config(Settings):
        real_weight: float = Field(1.0, ge=0, le=1e3, description="of the discriminator's error on real images")
        fake_weight: float = Field(
            1.0, ge=0, le=1e3, description="of its error on fakes; 0: real images alone teach it"
        )
        generator_weight: float = Field(1.0, ge=0, le=1e3, description="of that error, for the generator")

    needs = ("classes",)

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, label = next(batches)
        fake = G(G.latent(len(real)), label)
        seen, made = D.outputs(real, label), D.outputs(fake.detach(), label)
        right, wrong = cross_entropy(seen.classes, label), cross_entropy(made.classes, label)
        named = self.config.real_weight * right + self.config.fake_weight * wrong
        loss = self.loss.discriminator(seen.logits, made.logits) + named
        yield Update(D, loss, class_real=right, class_fake=wrong)
        made, real_logits = D.outputs(fake, label), self.real_logits(D, real, label)
        named = self.config.generator_weight * cross_entropy(made.classes, label)
        yield Update(G, self.loss.generator(made.logits, real_logits) + named)


class InfoGAN(Strategy):
    """The discriminator recovers a part of the latent, so that this part has to mean something (Chen et al., 2016).

    The generator's update moves both networks: each by the information (eq. 6), the generator by its score too.
    """

    class Config(Settings):
        information: float = Field(1.0, ge=0, le=1e3, description="weight of the information (lambda)")

    needs = ("code",)

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        latents = G.latent(len(real))
        fake = G(latents, *condition)
        real_logits, fake_logits = self.logits(D, (real, fake.detach()), *condition)
        yield Update(D, self.loss.discriminator(real_logits, fake_logits))
        made, (category, values) = D.outputs(fake, *condition), G.code(latents)
        # up to constants the negative log likelihood of the whole code, each continuous value with variance 1
        apart = (wide(made.code[1]) - values).square().sum(1).mean()
        unknown = cross_entropy(made.code[0], category) + apart / 2
        score = self.loss.generator(made.logits, self.real_logits(D, real, *condition))
        unknown = self.config.information * unknown
        yield Update(G, score + unknown), Update(D, unknown, information=-unknown)
