"""Networks and data small enough to try a strategy in milliseconds, exactly: double precision, no shared statistics."""

import contextlib
import copy
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.overrides import TorchFunctionMode

from ganzoo.architecture import Discriminator, Generator
from ganzoo.engine.optimizers import NetworkOptimizer
from ganzoo.engine.processes import Processes
from ganzoo.engine.updates import Step, Stepper
from ganzoo.errors import GanzooError
from ganzoo.loss import Loss
from ganzoo.recipes import Optimizer, Recipe
from ganzoo.registry import Registry, registry
from ganzoo.resolve import Parts, resolve
from ganzoo.strategy import Progress, Strategy
from ganzoo.testing.contract import NotRun, Subject, needs_settings
from ganzoo.testing.smallest import tiny

BATCH, CLASSES, SHAPE = 8, 3, (3, 8, 8)
FRACTIONS = 0.0, 0.5, 0.99  # of the budget, where a strategy is tried: it may have phases
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

    relativistic = only_differences = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return softplus(torch.as_tensor(real) - fake).mean()


class Bench:
    """A strategy with tiny networks and endless data; the same every time it is made.

    The kit's own pair where that is what it trains; else the networks and data of a recipe that uses it.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        conditional: bool = False,
        dtype: torch.dtype = torch.float64,
        kind: type[Strategy] | None = None,
    ):
        self.subject, self.conditional, self.dtype = subject, conditional, dtype
        self.kind: type[Strategy] = kind or subject.target
        self.setting = setting = setting_of(subject) if kind is None else None
        torch.manual_seed(0)
        if setting is None:
            both = {"generator": TinyGenerator(conditional), "discriminator": TinyDiscriminator(conditional)}
            self.networks: Networks = {name: both[name] for name in self.kind.networks}
        else:
            if conditional and not setting.recipe.data.conditions:
                raise NotRun(f"recipe {setting.recipe.name!r}, on which it is tried, is unconditional")
            self.conditional = bool(setting.recipe.data.conditions)
            self.networks = {name: setting.architecture.build(name) for name in self.kind.networks}
        self.networks = {name: network.to(dtype) for name, network in self.networks.items()}
        self.labels: Tensor | None = None

    @property
    def is_pair(self) -> bool:
        """It is tried on the kit's own generator and discriminator of images."""
        return self.setting is None

    @property
    def per_sample(self) -> bool:
        """The strategy says so, and so do the networks that it is tried on."""
        return self.kind.per_sample and (self.setting is None or self.setting.architecture.per_sample)

    def strategy(self, loss: Loss | None = None, at: float = 0.0) -> Strategy:
        """As it is at a fraction of the budget."""
        given = {} if self.setting is None else self.setting.recipe.strategy.settings
        try:
            made = self.kind(self.subject.config(**given), loss or Logistic())
        except ValueError as error:
            raise needs_settings(error) from None
        made.progress = Progress(fraction=at)
        return made

    def copies(self) -> Networks:
        return copy.deepcopy(self.networks)

    def read(self, start: int, stop: int) -> tuple[Tensor, ...]:
        """Example i depends on i alone."""
        batch = self._own(start, stop) if self.setting is None else self._of_the_recipe(self.setting, start, stop)
        return tuple(part.to(self.dtype) if part.is_floating_point() else part for part in batch)

    def _own(self, start: int, stop: int) -> tuple[Tensor, ...]:
        rows = torch.arange(start, stop, dtype=torch.float64)[:, None]
        images = torch.sin(rows * 0.7 + torch.linspace(0, 9, 192, dtype=torch.float64)).view(-1, *SHAPE)
        if not self.conditional:
            return (images,)
        return images, torch.arange(start, stop) % CLASSES if self.labels is None else self.labels[: stop - start]

    def _of_the_recipe(self, setting: Parts, start: int, stop: int) -> tuple[Tensor, ...]:
        batch = setting.dataset.read(setting.columns, 0, start, stop)
        if self.labels is None or "label" not in setting.columns:
            return batch
        place = setting.columns.index("label")
        return (*batch[:place], self.labels[: stop - start], *batch[place + 1 :])

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
        rates: Mapping[str, float] | None = None,
        optimizer: str = "sgd",
        seed: int = 0,
        processes: Processes | None = None,
    ) -> Stepper:
        """The engine's own executor; `rates` are learning rates of networks that differ from 0.05."""
        usual = 0.05 if self.is_pair else 1e-3
        optimizers = {
            name: NetworkOptimizer(net, Optimizer.read({"name": optimizer, "lr": (rates or {}).get(name, usual)}))
            for name, net in networks.items()
        }
        here = processes or Processes("cpu")
        return Stepper(strategy, networks, optimizers, self.read, here, BATCH, accumulate, precision, seed)


@functools.lru_cache(maxsize=64)
def _setting(registered: Registry, name: str) -> Parts:
    return resolve(tiny(Recipe.load(name)))


def setting_of(subject: Subject) -> Parts | None:
    """A recipe's parts to try a strategy on, made as small as they go; None where the kit's own pair will do."""
    kind: type[Strategy] = subject.target
    plain = set(kind.networks) <= {"generator", "discriminator"} and kind.inputs == ("image",) and not kind.needs
    if plain and _fits_the_pair(subject):
        return None
    problems = []
    for name in recipes_with(subject):
        try:
            return _setting(registry(), name)
        except (GanzooError, ImportError) as error:  # its data isn't installed, say
            problems.append(str(error))
    why = f"none of its recipes can be made here ({problems[0]})" if problems else "no recipe uses it: add one"
    what = f"{', '.join(kind.networks)} on {', '.join(kind.inputs)}"
    raise NotRun(f"it trains {what}, which the kit has no networks for, and {why}")


def recipes_with(subject: Subject) -> list[str]:
    """The recipes that use a strategy: its own plugin's first, of those the one that is named after it."""
    found = []
    for name in registry().names("recipe"):
        with contextlib.suppress(GanzooError):
            if Recipe.load(name).strategy.name == subject.name:
                found.append(name)
    own = subject.plugin.provides.get("recipe", [])
    return sorted(found, key=lambda name: (name not in own, not name.startswith(subject.name)))


def _fits_the_pair(subject: Subject) -> bool:
    """Whether the tiny networks have all that the strategy asks of its networks."""
    nets = {"generator": TinyGenerator(False), "discriminator": TinyDiscriminator(False)}
    try:
        strategy = subject.target(subject.config(), Logistic())
        for fraction in FRACTIONS:
            strategy.progress = Progress(fraction=fraction)
            for _ in strategy.step(SimpleNamespace(**nets), itertools.repeat((torch.zeros(2, *SHAPE),))):
                pass
    except AttributeError as error:
        return not isinstance(error.obj, TinyGenerator | TinyDiscriminator)
    except Exception:
        return True  # the checks say what is wrong
    return True


def walk(
    stepper: Stepper, steps: int, first: int = 0, images: int = 0, of: int | None = None, stay: bool = False
) -> list[Step]:
    """Take steps from step `first`; over `of` steps, by default to the last of these, the budget is used up.

    With `stay` the same batches and noise at the same fraction of the budget, and no history, again and again.
    """
    done, last = [], (of or first + steps) - 1
    if stay:
        stepper.strategy.__dict__["keep"] = lambda examples: None
    for place in range(first, first + steps):
        if not stay:
            fraction = FRACTIONS[-1] * place / max(last, 1)
            stepper.strategy.__dict__["progress"] = Progress(place, images, fraction)
        done.append(stepper.step())
        images += done[-1].drawn
    return done


def updated(step: Step) -> set[str]:
    """The networks that a step updated."""
    return {name for names, _ in step.updates for part in names.split(" and ") for name in part.split("+")}


def weights(networks: Networks) -> dict[str, Tensor]:
    """Every tensor of the networks, copied."""
    return {f"{n}.{key}": value.clone() for n, net in networks.items() for key, value in net.state_dict().items()}


def narrowed(networks: Networks) -> str:
    """The tensors of the networks that are no longer float32, in words."""
    return ", ".join(n for n, t in weights(networks).items() if t.is_floating_point() and t.dtype != torch.float32)


class SameNoise(TorchFunctionMode):
    """Every example of a batch gets the same random draw, so that micro-batches compare with the whole batch."""

    draws = (torch.rand, torch.randn, torch.rand_like, torch.randn_like)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func is torch.nn.functional.dropout:
            return _dropout(*args, **given)
        made = func(*args, **given)
        if func not in self.draws or not made.dim():
            return made
        return _draw(torch.rand if func in (torch.rand, torch.rand_like) else torch.randn, made)


def _draw(how: Callable[..., Tensor], like: Tensor) -> Tensor:
    one = how(like.shape[1:], generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return one.to(like).expand(like.shape).clone()


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return x * (_draw(torch.rand, x) >= p) / (1 - p) if training and p < 1 else x
