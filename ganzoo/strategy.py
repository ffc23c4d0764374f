"""The strategy contract: the order of updates in one training step, as a generator."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.loss import Loss, Slopes
from ganzoo.penalties import squared_gradient_norms
from ganzoo.settings import Settings


@dataclass(frozen=True)
class Progress:
    """How far training is: steps taken, real images consumed, fraction of the budget in [0, 1)."""

    step: int = 0
    images: int = 0
    fraction: float = 0.0


class Update:
    """One optimiser step on `networks` down the gradient of `loss` (a scalar); `metrics` are scalars to log.

    `examples`, tensors with a row for each example, go to the strategy's `keep` after the step.
    """

    def __init__(
        self,
        networks: nn.Module | Iterable[nn.Module],
        loss: Tensor,
        examples: Mapping[str, Tensor] | None = None,
        /,
        **metrics: Tensor,
    ):
        try:
            self.loss, _ = loss, loss.requires_grad  # only a tensor has it
            self.networks = (networks,) if isinstance(networks, nn.Module) else tuple(networks)
            self.examples = {name: value.detach() for name, value in (examples or {}).items()}
            self.metrics = {name: value.detach() for name, value in metrics.items()}
        except (AttributeError, TypeError):
            raise PluginError(_wrong(networks, loss, examples, metrics)) from None

    called = "loss"  # the name of `loss` in the log


class LazyUpdate(Update):
    """An update beside the main one, taken every k steps with k times the weight (Karras et al., 2020, appendix B)."""

    called = "lazy/loss"


Updates = Iterator[Update | tuple[Update, ...]]
OVER: Any = object()  # in place of what a step yields, after its last yield


def together(strategy: "Strategy", yielded: Any) -> tuple[Update, ...]:
    """The updates of one yield. Raises PluginError for anything else."""
    updates = tuple(yielded) if isinstance(yielded, tuple | list) else (yielded,)
    if not updates:
        raise PluginError(
            f"strategy {type(strategy).__name__} yields no updates (an empty {type(yielded).__name__}); leave the "
            "yield out of steps in which none is due"
        )
    for update in updates:
        if not isinstance(update, Update):
            kind = "network" if isinstance(update, nn.Module) else type(update).__name__
            raise PluginError(
                f"strategy {type(strategy).__name__} yields a {kind}; write `yield Update(networks, loss)`, or yield a "
                "tuple of Updates"
            )
    return updates


def _wrong(networks: Any, loss: Any, examples: Any, metrics: Mapping[str, Any]) -> str:
    """Why these make no Update."""
    kinds = [type(given).__name__ for given in (networks, loss, examples)]
    if not isinstance(loss, Tensor):
        return f"the loss of an Update must be a scalar tensor, not {kinds[1]}; write Update(networks, loss)"
    for name, value in metrics.items():
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            return f"metric {name!r} of an Update must be a scalar tensor, not {kind}; write loss.new_full((), value)"
    return (
        "an Update is made of networks, a loss and perhaps examples, a mapping of names to tensors; "
        f"{kinds[0]} was given for networks and {kinds[2]} for examples"
    )


class Strategy(nn.Module):
    """The order of updates in one training step.

    `step` is a generator: each `yield Update(networks, loss)` is one optimiser step, after which the weights have
    moved; a tuple of updates takes all gradients before any weight moves; `next(batches)` takes a fresh batch, which
    holds the `inputs` and then the recipe's conditions, by position. Images are float in [-1, 1], (N, C, H, W).

    The order of yields depends on settings, `self.progress` and state alone, never on a tensor's value. State is made
    in `__init__` (buffers, so that checkpoints carry it) and changes only in `after_step` and `keep`. What reads
    `self.progress` through `varying` and `due` alone can run as CUDA graphs (`training.graphs`).
    """

    class Config(Settings):
        """Settings of the strategy; none by default."""

    networks: tuple[str, ...] = ("generator", "discriminator")
    inputs: tuple[str, ...] = ("image",)
    needs: tuple[
        str, ...
    ] = ()  # what its networks must offer beyond forward, such as "features"; see Architecture.offers
    needs_loss = True  # False: a recipe with this strategy names no adversarial loss
    per_sample = True  # False: its gradient on a batch is not the mean of those on the batch's parts
    slopes: Slopes = "free"  # what it does to the slope of its discriminators by an image
    progress = Progress()

    def __init__(self, config: Any = None, loss: Loss | None = None):
        super().__init__()
        self.config: Any = config if config is not None else self.Config()
        self.loss = loss if loss is not None else Loss()
        self.regularizers = nn.ModuleDict()  # those of the recipe, by name

    def step(self, nets: Any, batches: Iterator[tuple[Tensor, ...]]) -> Updates:
        """Yield the updates of one step. `nets` has each of `networks` as an attribute."""
        raise NotImplementedError

    def after_step(self, means: Mapping[str, Tensor]) -> None:
        """Change declared state, from each metric's mean over micro-batches and processes ("network/metric")."""

    def varying(self, number: Callable[[], float]) -> Any:
        """What `number`, which may read `self.progress`, gives: a float, or a scalar tensor in a captured step."""
        return number()

    def due(self, every: int) -> bool:
        """Whether this step is one of every `every`-th, the first included."""
        return self.progress.step % every == 0

    def keep(self, examples: Mapping[str, Tensor]) -> None:
        """Change declared state from the `examples` of the step's updates: of each the whole batch in its order."""

    def lazy(self, network: str) -> tuple[int, ...]:
        """Intervals, in steps, of the `LazyUpdate`s that a network gets; its rate and betas are corrected for them."""
        return ()

    def logits(self, D: nn.Module, images: tuple[Tensor, ...], *condition: Tensor) -> tuple[Any, ...]:
        """D's logits for several batches under one condition, in one forward pass where batches don't mix."""
        if not getattr(D, "per_sample", False):
            return tuple(D(x, *condition) for x in images)
        many = len(images)
        return _apart(D(torch.cat(images), *(torch.cat([c] * many) for c in condition)), images)

    def logits_and_slopes(
        self, D: nn.Module, images: tuple[Tensor, ...], *condition: Tensor
    ) -> tuple[tuple[Any, ...], tuple[Tensor, ...]]:
        """`logits`, and for each batch the squared norm of d(logits)/d(image) per example, (N,), for R1 and R2."""
        many = len(images)
        if many > 1 and not getattr(D, "per_sample", False):
            scored = [self.logits_and_slopes(D, (x,), *condition) for x in images]
            return tuple(logits[0] for logits, _ in scored), tuple(slopes[0] for _, slopes in scored)
        x = torch.cat(images).detach().requires_grad_()
        logits = D(x, *(torch.cat([c] * many) if many > 1 else c for c in condition))
        (squared,) = squared_gradient_norms([logits], [x])
        return _apart(logits, images), _apart(squared, images)

    def real_logits(self, D: nn.Module, real: Tensor, *condition: Tensor) -> Any:
        """Logits of real images without gradient for a relativistic loss, None for any other."""
        if not self.loss.relativistic:
            return None
        with torch.no_grad():
            return D(real, *condition)

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__dict__.get("_stepping"):
            raise AttributeError(
                f"{type(self).__name__}.step assigns self.{name}; use a local variable, or declare state in __init__ "
                "and change it in after_step"
            )
        super().__setattr__(name, value)


def _apart(logits: Any, images: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """The logits of several batches that went through the network as one, at each scale."""
    if isinstance(logits, Tensor):
        return logits.split_with_sizes([x.shape[0] for x in images])
    return tuple(zip(*(_apart(scale, images) for scale in logits), strict=True))
