"""A plugin whose every part breaks the contract in one way. `CAUGHT` says which check must catch it."""

import random
import time

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import softplus

from ganzoo import (
    Architecture,
    Dataset,
    Discriminator,
    Generator,
    Loss,
    ResidentDataset,
    Settings,
    Spec,
    Strategy,
    Update,
    hookimpl,
)
from ganzoo.penalties import gradient_penalty

CAUGHT = {}


def caught_by(*checks, also=()):
    """The checks that a part must fail; every other check of it must pass, but for those that may fail `also`."""

    def mark(part):
        CAUGHT[part.__name__] = set(checks), set(also)
        part.__doc__ = part.__doc__ or "Broken on purpose, as its name says."
        return part

    return mark


class Good(Loss):
    """Binary cross-entropy (Goodfellow et al., 2014)."""

    def discriminator_loss(self, real, fake):
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, fake, real):
        return softplus(-fake).mean()


@caught_by("sign")
class DiscriminatorSign(Good):
    def discriminator_loss(self, real, fake):
        return -super().discriminator_loss(real, fake)


@caught_by("sign")
class GeneratorSign(Good):
    def generator_loss(self, fake, real):
        return softplus(fake).mean()


@caught_by("slope")
class HalfDetached(Good):
    def generator_loss(self, fake, real):
        return softplus(-fake).mean() - 0.5 * fake.detach().mean()


@caught_by("slope")
class InPlace(Good):
    def discriminator_loss(self, real, fake):
        with torch.no_grad():
            fake.add_(0.0).clamp_(min=0.2)
        return super().discriminator_loss(real, fake)


@caught_by("scalar", "slope", "sign", "says_what_it_is")
class NotReduced(Good):
    def discriminator_loss(self, real, fake):
        return softplus(-real) + softplus(fake)


@caught_by("scalar")
class LogOfZero(Good):
    def generator_loss(self, fake, real):
        return -torch.sigmoid(fake).log().mean()


@caught_by("scalar", "says_what_it_is")
class OwnTurn(Good):
    def discriminator(self, real, fake):
        real, fake = (x if torch.is_tensor(x) else torch.cat(list(x)) for x in (real, fake))
        return self.discriminator_loss(real, fake)


@caught_by("says_what_it_is")
class SecretlyRelativistic(Good):
    def generator_loss(self, fake, real):
        return softplus(-fake if real is None else real - fake).mean()


@caught_by("says_what_it_is")
class AverageOfBatch(Good):
    def discriminator_loss(self, real, fake):
        return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()


@caught_by("says_what_it_is")
class Noisy(Good):
    per_sample = False

    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real, fake) * (1 + 1e-12 * torch.rand((), dtype=real.dtype))


@caught_by("bounded")
class Unbounded(Good):
    class Config(Settings):
        margin: float = Field(1.0, ge=0, description="of the hinge")


@caught_by("documented")
class Undescribed(Good):
    class Config(Settings):
        margin: float = Field(1.0, ge=0, le=9)


@caught_by("settings_round_trip")
class NoWayBack(Good):
    class Config(Settings):
        version = 2


class Fine(Strategy):
    """One discriminator update, then one generator update (Goodfellow et al., 2014)."""

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        yield self.judge(D, real, fake.detach(), condition)
        yield self.make(G, D, real, fake, condition)

    def judge(self, D, real, fake, condition):
        return Update(D, self.loss.discriminator(D(real, *condition), D(fake, *condition)))

    def make(self, G, D, real, fake, condition):
        return Update(G, self.loss.generator(D(fake, *condition), self.real_logits(D, real, *condition)))


@caught_by("direction")
class WrongSign(Fine):
    def make(self, G, D, real, fake, condition):
        update = super().make(G, D, real, fake, condition)
        return Update(G, -update.loss)


@caught_by("direction", "takes_a_relativistic_loss")
class Swapped(Fine):
    def judge(self, D, real, fake, condition):
        return Update(D, self.loss.discriminator(D(fake, *condition), D(real, *condition)))

    def make(self, G, D, real, fake, condition):
        return Update(G, self.loss.generator(D(fake, *condition)))


# an update that the engine refuses fails wherever steps are taken
REFUSED = "steps", "trains_all", "direction", "overfits", "label_sensitivity", "determinism", "exact_resume"
REFUSED = *REFUSED, "shards_equal", "takes_a_relativistic_loss"


@caught_by(*REFUSED, "bf16")
class DetachedGenerator(Fine):
    def make(self, G, D, real, fake, condition):
        return super().make(G, D, real, fake.detach(), condition)


@caught_by(*REFUSED)
class StaleGraph(Fine):
    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        late = self.make(G, D, real, fake, condition)
        yield self.judge(D, real, fake.detach(), condition)
        yield late


@caught_by(*REFUSED, "bf16", "state_in_after_step")
class AssignsToSelf(Fine):
    def step(self, nets, batches):
        self.count = 1
        yield from super().step(nets, batches)


@caught_by("state_in_after_step")
class AppendsToSelf(Fine):
    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.seen = []

    def step(self, nets, batches):
        self.seen.append(1)
        yield from super().step(nets, batches)


@caught_by("state_in_after_step")
class MovesItsBuffer(Fine):
    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.register_buffer("steps", torch.zeros(()))

    def step(self, nets, batches):
        self.steps.add_(1)
        yield from super().step(nets, batches)


@caught_by("exact_resume")
class StateNotSaved(Fine):
    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.weight = 1.0

    def make(self, G, D, real, fake, condition):
        return Update(G, self.weight * super().make(G, D, real, fake, condition).loss)

    def after_step(self, means):
        self.weight *= 0.9


@caught_by("label_sensitivity")
class LabelIgnored(Fine):
    def step(self, nets, batches):
        yield from super().step(nets, ((real, *(c * 0 for c in condition)) for real, *condition in batches))


@caught_by("determinism", "exact_resume", "shards_equal", also=["overfits"])
class HiddenRandomness(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, (1 + random.random()) * super().make(G, D, real, fake, condition).loss)


@caught_by("determinism", "exact_resume", "shards_equal", also=["overfits"])
class HiddenNumpy(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, (1 + np.random.rand()) * super().make(G, D, real, fake, condition).loss)  # noqa: NPY002


@caught_by("determinism", "exact_resume", "shards_equal", also=["overfits"])
class ReadsTheClock(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, (1 + time.time_ns() % 1000 / 1000) * super().make(G, D, real, fake, condition).loss)


@caught_by("interpolates_per_example")
class AlphaPerPixel(Fine):
    def judge(self, D, real, fake, condition):
        update = super().judge(D, real, fake, condition)
        between = real + torch.rand_like(real) * (fake - real)
        return Update(D, update.loss + gradient_penalty(D, between, *condition))


@caught_by("shards_equal")
class SumsOverTheBatch(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, super().make(G, D, real, fake, condition).loss * len(real))


@caught_by("shards_equal", "no_values_in_step")
class DependsOnValues(Fine):
    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        yield self.judge(D, real, fake.detach(), condition)
        if real[0, 0, 0, 0] > 0.5:
            yield self.judge(D, real, fake.detach(), condition)
        yield self.make(G, D, real, fake.detach() * 0 + G(G.latent(len(real)), *condition), condition)


@caught_by("no_values_in_step")
class CallsItem(Fine):
    def make(self, G, D, real, fake, condition):
        update = super().make(G, D, real, fake, condition)
        update.loss.item()
        return update


@caught_by("named_networks_only")
class ChangesTheBatch(Fine):
    def judge(self, D, real, fake, condition):
        return super().judge(D, real.mul_(0.5), fake, condition)


@caught_by("named_networks_only")
class CallsBackward(Fine):
    def make(self, G, D, real, fake, condition):
        update = super().make(G, D, real, fake, condition)
        update.loss.backward(retain_graph=True)
        return update


@caught_by("takes_a_relativistic_loss")
class ForgetsTheReal(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, self.loss.generator(D(fake, *condition)))


@caught_by("trains_all", "direction", "label_sensitivity")
class NeverTheGenerator(Fine):
    def step(self, nets, batches):
        yield next(super().step(nets, batches))


class Plain(Architecture):
    """Linear networks (Goodfellow et al., 2014)."""

    class Config(Settings):
        size: int = Field(ge=4, le=64, description="side of the images")
        channels: int = Field(ge=1, le=3, description="of the images")
        classes: int = Field(ge=1, le=100, description="number of labels")

    conditions = ("label",)

    def build(self, network):
        return self.maker(self.config) if network == "generator" else self.judge(self.config)

    class maker(Generator):
        def __init__(self, config):
            super().__init__()
            self.latent_size = 4
            self.shape = (config.channels, config.size, config.size)
            self.embed = nn.Embedding(config.classes, 4)
            self.layer = nn.Linear(4, config.channels * config.size**2)

        def forward(self, latents, label):
            return torch.tanh(self.layer(latents + self.embed(label))).unflatten(1, self.shape)

    class judge(Discriminator):
        def __init__(self, config):
            super().__init__()
            self.embed = nn.Embedding(config.classes, 8)
            self.layer = nn.Linear(config.channels * config.size**2, 8)

        def forward(self, images, label):
            return (self.layer(images.flatten(1)) * (1 + self.embed(label))).sum(1)


@caught_by("label_sensitivity", "gradients")
class GeneratorIgnoresLabel(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents, label * 0) if label.numel() == 0 else self.plain(latents)

        def plain(self, latents):
            return torch.tanh(self.layer(latents)).unflatten(1, self.shape)


@caught_by("gradients")
class DetachedInside(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents, label).detach()


@caught_by("shapes")
class WrongRange(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return 3 * super().forward(latents, label)


@caught_by("shapes", also=["label_sensitivity", "per_sample", "gradients", "dtypes_and_devices"])
class WrongSize(Plain):
    class maker(Plain.maker):
        def __init__(self, config):
            super().__init__(config.model_copy(update={"size": config.size // 2}))


@caught_by("dtypes_and_devices")
class OwnDtype(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents, label).float()


@caught_by("dtypes_and_devices")
class OwnDevice(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents, label) + torch.zeros(
                1, self.shape[0], 1, 1, dtype=latents.dtype, device="cpu"
            )


@caught_by("determinism", "state", "model_folder", "torch_export", "onnx")
class NoiseInSample(Plain):
    class maker(Plain.maker):
        def sample(self, latents, *conditions):
            return (self(latents, *conditions) + 0.1 * torch.randn_like(latents[:, :1, None, None])).clamp(-1, 1)


@caught_by("determinism")
class HiddenInit(Plain):
    class maker(Plain.maker):
        def __init__(self, config):
            super().__init__(config)
            with torch.no_grad():
                self.layer.weight[0, 0] = random.random()


@caught_by("per_sample")
class MixesTheBatch(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents - latents.mean(0) if self.training else latents, label)


@caught_by("layout")
class ViewsWhatIsStrided(Plain):
    channels_last = True

    class judge(Plain.judge):
        def __init__(self, config):
            super().__init__(config)
            self.convs = nn.Sequential(nn.Conv2d(config.channels, 4, 3, 1, 1), nn.Conv2d(4, config.channels * 4, 1))

        def forward(self, images, label):
            mixed = self.convs(images)
            return super().forward(mixed.view(len(images), 4, -1).mean(1), label)


@caught_by("state", "model_folder")
class StateOutside(Plain):
    class maker(Plain.maker):
        def __init__(self, config):
            super().__init__(config)
            self.register_buffer("codes", torch.randn(4), persistent=False)

        def forward(self, latents, label):
            return super().forward(latents * self.codes, label)


@caught_by("torch_export", "onnx", "dtypes_and_devices")
class BranchesOnValues(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            images = super().forward(latents, label)
            return images if latents.sum() > 0 else images + 0


class Colours(ResidentDataset):
    """Plain colours."""

    def __init__(self, config=None):
        super().__init__(config)
        generator = torch.Generator().manual_seed(0)
        self.hold(image=torch.randint(0, 256, (20, 3, 8, 8), generator=generator, dtype=torch.uint8))
        self.spec = Spec(name="colours", count=20, size=8, channels=3, licence="CC0-1.0")


@caught_by("spec")
class NoLicence(Colours):
    def __init__(self, config=None):
        super().__init__(config)
        self.spec = self.spec.model_copy(update={"licence": " "})


@caught_by("spec")
class WrongSpec(Colours):
    def __init__(self, config=None):
        super().__init__(config)
        self.spec = self.spec.model_copy(update={"size": 16})


@caught_by("spec")
class NotNormalised(Colours):
    def read(self, columns, seed, start, stop):
        return tuple(t + 1 for t in super().read(columns, seed, start, stop))


@caught_by("order", "batches_are_copies")
class RandomOrder(Colours):
    def read(self, columns, seed, start, stop):
        return tuple(t[torch.randperm(len(t))] for t in super().read(columns, seed, start, stop))


@caught_by("order")
class OneOrder(Colours):
    def read(self, columns, seed, start, stop):
        return super().read(columns, 0, start, stop)


@caught_by("batches_are_copies")
class Views(Dataset):
    """Hands out its own memory."""

    columns = ("image",)

    def __init__(self, config=None):
        super().__init__(config)
        self.spec = Spec(name="views", count=4, size=8, channels=1, licence="CC0-1.0")
        self.images = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)

    def to(self, device):
        return self

    def read(self, columns, seed, start, stop):
        return (self.images[start:stop],)


BASES = {"losses": Loss, "strategies": Strategy, "architectures": Architecture, "datasets": Dataset}


def _parts(base):
    found = [v for v in globals().values() if isinstance(v, type) and issubclass(v, base) and v.__module__ == __name__]
    return {part.__name__: f"{__name__}:{part.__name__}" for part in found}


@hookimpl
def ganzoo_losses():
    return _parts(Loss)


@hookimpl
def ganzoo_strategies():
    return _parts(Strategy)


@hookimpl
def ganzoo_architectures():
    return _parts(Architecture)


@hookimpl
def ganzoo_datasets():
    return _parts(Dataset)
