"""Networks and data small enough to try a strategy in milliseconds, exactly: double precision, no shared statistics."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.overrides import TorchFunctionMode

from ganzoo.architecture import Discriminator, Generator
from ganzoo.engine.optimizers import NetworkOptimizer
from ganzoo.engine.processes import Processes
from ganzoo.engine.updates import Step, Stepper
from ganzoo.loss import Loss
from ganzoo.recipes import Optimizer
from ganzoo.strategy import Progress, Strategy
from ganzoo.testing.contract import NotRun, Subject, needs_settings

BATCH, CLASSES, SHAPE = 8, 3, (3, 8, 8)
Networks = dict[str, nn.Module]


class TinyGenerator(Generator):
    """Latents (N, 4), and labels where it is told them, to images (N, 3, 8, 8) in [-1, 1]."""

    def __init__(self, conditional: bool):
        super().__init__()
        self.latent_size = 4
        self.embed = nn.Embedding(CLASSES, 4) if conditional else None
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 192), nn.Tanh())

    def forward(self, latents: Tensor, *label: Tensor) -> Tensor:
        if self.embed is not None:
            latents = latents + self.embed(*label)
        images: Tensor = self.layers(latents)
        return images.view(-1, *SHAPE)


class TinyDiscriminator(Discriminator):
    """Images (N, 3, 8, 8), and labels where it is told them, to logits (N,)."""

    def __init__(self, conditional: bool):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.Softplus())
        self.embed = nn.Embedding(CLASSES, 6) if conditional else None
        self.head = nn.Linear(6, 1)

    def forward(self, images: Tensor, *label: Tensor) -> Tensor:
        features = self.body(images)
        logits: Tensor = self.head(features).squeeze(1)
        return logits if self.embed is None else logits + (features * self.embed(*label)).sum(1)


class Logistic(Loss):
    """The kit's own adversarial term (Goodfellow et al., 2014, section 3), so that a strategy is tried by itself."""

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return softplus(-fake).mean()


class Paired(Loss):
    """The kit's relativistic term: each fake against its real (Jolicoeur-Martineau, 2018)."""

    relativistic = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        if real is None:
            raise TypeError(
                "the generator's turn needs the real logits: self.loss.generator(fake, self.real_logits(...))"
            )
        return softplus(real - fake).mean()


class Bench:
    """A strategy with tiny networks and endless data; the same every time it is made."""

    def __init__(
        self,
        subject: Subject,
        *,
        conditional: bool = False,
        dtype: torch.dtype = torch.float64,
        kind: type[Strategy] | None = None,
    ):
        kind = kind or subject.target
        if kind.needs:
            raise NotRun(f"it needs networks with {', '.join(kind.needs)}; its recipes are checked instead")
        if not set(kind.networks) <= {"generator", "discriminator"} or kind.inputs != ("image",):
            raise NotRun(
                f"the kit has a generator and a discriminator of images, and it trains {', '.join(kind.networks)} on "
                f"{', '.join(kind.inputs)}; its recipes are checked instead"
            )
        self.subject, self.kind, self.conditional, self.dtype = subject, kind, conditional, dtype
        torch.manual_seed(0)
        both = {"generator": TinyGenerator(conditional), "discriminator": TinyDiscriminator(conditional)}
        self.networks: Networks = {name: both[name].to(dtype) for name in kind.networks}
        self.labels: Tensor | None = None

    def strategy(self, loss: Loss | None = None) -> Strategy:
        try:
            return self.kind(self.subject.config(), loss or Logistic())
        except ValueError as error:
            raise needs_settings(error) from None

    def copies(self) -> Networks:
        return copy.deepcopy(self.networks)

    def read(self, start: int, stop: int) -> tuple[Tensor, ...]:
        """Example i depends on i alone."""
        rows = torch.arange(start, stop, dtype=torch.float64)[:, None]
        images = torch.sin(rows * 0.7 + torch.linspace(0, 9, 192, dtype=torch.float64)).view(-1, *SHAPE).to(self.dtype)
        if not self.conditional:
            return (images,)
        return images, torch.arange(start, stop) % CLASSES if self.labels is None else self.labels[: stop - start]

    def batches(self) -> Iterator[tuple[Tensor, ...]]:
        start = 0
        while True:
            yield self.read(start, start + BATCH)
            start += BATCH

    def stepper(
        self,
        strategy: Strategy,
        networks: Networks,
        *,
        accumulate: int = 1,
        precision: str = "fp32",
        read: Callable[[int, int], tuple[Tensor, ...]] | None = None,
        rates: Mapping[str, float] | None = None,
        optimizer: str = "sgd",
        seed: int = 0,
    ) -> Stepper:
        """The engine's own executor; `rates` are learning rates of networks that differ from 0.05."""
        optimizers = {
            name: NetworkOptimizer(net, Optimizer.read({"name": optimizer, "lr": (rates or {}).get(name, 0.05)}))
            for name, net in networks.items()
        }
        here = Processes("cpu")
        return Stepper(strategy, networks, optimizers, read or self.read, here, BATCH, accumulate, precision, seed)


def walk(stepper: Stepper, steps: int, first: int = 0, images: int = 0, stay: bool = False) -> list[Step]:
    """Take steps from step `first`; with `stay` the same batches and noise again and again."""
    done = []
    for number in range(steps):
        place = 0 if stay else first + number
        stepper.strategy.__dict__["progress"] = Progress(place, 0 if stay else images, 0.0)
        done.append(stepper.step())
        images += done[-1].drawn
    return done


def weights(networks: Networks) -> dict[str, Tensor]:
    """Every tensor of the networks, copied."""
    return {f"{n}.{key}": value.clone() for n, net in networks.items() for key, value in net.state_dict().items()}


class SameNoise(TorchFunctionMode):
    """Every example of a batch gets the same random draw, so that micro-batches compare with the whole batch."""

    draws = (torch.rand, torch.randn, torch.rand_like, torch.randn_like)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func not in self.draws or not made.dim():
            return made
        generator = torch.Generator().manual_seed(7)
        draw = (torch.rand if func in (torch.rand, torch.rand_like) else torch.randn)(
            made.shape[1:], generator=generator, dtype=torch.float64
        )
        return draw.to(made).expand(made.shape).clone()
