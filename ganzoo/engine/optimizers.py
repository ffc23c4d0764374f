"""One optimiser per network, and the moving average of its weights. Nothing here makes the host wait for the device."""

import contextlib
import copy
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.engine.finite import norm, one
from ganzoo.recipes import Ema, Optimizer

# the kernel that takes all parameters of a network at once
KERNELS: dict[type[torch.optim.Optimizer], Callable[..., None]] = {
    torch.optim.Adam: torch._fused_adam_,
    torch.optim.AdamW: torch._fused_adamw_,
}


class NetworkOptimizer:
    """Steps the trainable parameters of one network."""

    def __init__(self, network: nn.Module, settings: Optimizer):
        self.settings = settings
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self._strides = [p.stride() for p in self.parameters]
        with _no_compiler():
            self.optimizer = _build(settings, self.parameters)
        self._bare_step = inspect.unwrap(type(self.optimizer).step)  # a fifth of the time goes into torch's wrappers
        alike = len({(p.device, p.dtype) for p in self.parameters}) == 1
        fused = alike and self.optimizer.defaults.get("fused")
        self.kernel = KERNELS.get(type(self.optimizer)) if fused else None
        self.state: list[list[Tensor]] = []  # Adam's, in the parameters' order, once it has made it

    def rate(self, images: int, fraction: float) -> float:
        """The learning rate after `images` real images, `fraction` of the budget."""
        s = self.settings
        warm = min(1.0, images / s.warmup) if s.warmup else 1.0
        if s.schedule == "constant":
            return s.lr * warm
        shape = 1 - fraction if s.schedule == "linear" else (1 + math.cos(math.pi * fraction)) / 2
        return s.lr * warm * (s.final + (1 - s.final) * shape)

    def dense(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The gradients in their parameters' memory layout: fused kernels walk both in memory order."""
        return [
            g if g is None or g.stride() == strides else torch.empty_like(p).copy_(g)
            for p, g, strides in zip(self.parameters, gradients, self._strides, strict=True)
        ]

    def step(self, gradients: Sequence[Tensor | None], bad: Tensor, rate: float | Tensor) -> None:
        """One step by dense gradients. `bad` is 1.0 on the device when this update isn't finite: nothing moves.

        Called under no_grad.
        """
        gradients = self._clipped(gradients)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.state and any(g is not None for g in gradients):
            self._fused_step(gradients, bad, rate)
            return
        self._own_counts()
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        if getattr(self.optimizer, "_step_supports_amp_scaling", False):
            self.optimizer.found_inf = bad  # type: ignore[attr-defined]
            self._bare_step(self.optimizer)
            # fused kernels leave the version counters alone; without this a graph through the old weights is accepted
            torch.autograd.graph.increment_version(self.parameters)
        else:
            self._masked_step(bad)
        for parameter in self.parameters:
            parameter.grad = None
        self._find_state()

    def _fused_step(self, gradients: Sequence[Tensor | None], bad: Tensor, rate: float | Tensor) -> None:
        """What `Adam.step` does by its kernel, without sorting tensors by device first: half its host cost."""
        (beta1, beta2), s = self.settings.betas, self.settings
        partly = any(g is None for g in gradients)
        if partly:
            self._own_counts()
        columns: list[list[Any]] = [self.parameters, list(gradients), *self.state]
        if partly:
            columns = [[v for v, g in zip(column, gradients, strict=True) if g is not None] for column in columns]
        parameters, gradients, averages, squares, steps = columns
        counts = steps[:1] if steps[0] is steps[-1] else steps
        torch._foreach_add_(counts, [one(bad.device) - bad] * len(counts))
        assert self.kernel is not None
        self.kernel(
            parameters,
            gradients,
            averages,
            squares,
            [],
            steps,
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            weight_decay=s.weight_decay,
            eps=s.eps,
            amsgrad=False,
            maximize=False,
            found_inf=bad,
        )
        torch.autograd.graph.increment_version(parameters)

    def _find_state(self) -> None:
        """A parameter that never had a gradient has no state; then torch's own step goes on serving."""
        states: list[dict[str, Tensor]] = [self.optimizer.state.get(p, {}) for p in self.parameters]
        whole = self.kernel is not None and all(states)
        self.state = [[s[n] for s in states] for n in ("exp_avg", "exp_avg_sq", "step")] if whole else []
        self._share_counts()

    def _share_counts(self) -> None:
        """One count of steps for all parameters: a CPU has no kernel that counts for all at once."""
        if self.state and (steps := self.state[2])[0].device.type == "cpu" and len({float(n) for n in steps}) == 1:
            self.state[2] = steps[:1] * len(steps)

    def _own_counts(self) -> None:
        """A count for each parameter, where torch has it."""
        if self.state:
            own: list[Tensor] = [self.optimizer.state[p]["step"] for p in self.parameters]
            torch._foreach_copy_(own, self.state[2])
            self.state[2] = own

    def _clipped(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        longest, largest = self.settings.clip_norm, self.settings.clip_value
        if longest is None and largest is None:
            return gradients
        present = [g for g in gradients if g is not None]  # not changed in place: two parameters may share a gradient
        if longest is not None:
            present = list(torch._foreach_mul(present, (longest / (norm(present) + 1e-6)).clamp(max=1.0)))
        if largest is not None:
            present = list(torch._foreach_clamp_min(present, -largest))
            torch._foreach_clamp_max_(present, largest)
        clipped = iter(present)
        return [None if g is None else next(clipped) for g in gradients]

    def _masked_step(self, bad: Tensor) -> None:
        state = [t for s in self.optimizer.state.values() for t in s.values() if isinstance(t, Tensor)]
        kept = [(t, t.detach().clone()) for t in (*self.parameters, *state)]
        self._bare_step(self.optimizer)
        for now, before in kept:
            now.copy_(torch.where(bad.to(now.device) > 0, before, now))

    def state_dict(self) -> dict[str, Any]:
        self._own_counts()
        with _no_compiler():
            state = self.optimizer.state_dict()
        self._share_counts()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with _no_compiler():
            self.optimizer.load_state_dict(state)
        for parameter, held in self.optimizer.state.items():  # fused kernels walk these in memory order too
            for name, value in held.items():
                alike = isinstance(value, Tensor) and value.shape == parameter.shape
                if alike and value.stride() != parameter.stride():
                    held[name] = torch.empty_like(parameter).copy_(value)
        self._find_state()


WRAPPED = {name: getattr(torch.optim.Optimizer, name) for name in ("add_param_group", "state_dict", "load_state_dict")}


@contextlib.contextmanager
def _no_compiler() -> Iterator[None]:
    """Within it an optimiser's methods are bare: torch's wrapper around them imports the compiler, over a second."""
    for name, wrapped in WRAPPED.items():
        setattr(torch.optim.Optimizer, name, inspect.unwrap(wrapped))
    try:
        yield
    finally:
        for name, wrapped in WRAPPED.items():
            setattr(torch.optim.Optimizer, name, wrapped)


def _build(s: Optimizer, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    if not parameters:
        return torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=s.lr)  # all frozen: nothing to step
    fused = parameters[0].device.type in ("cpu", "cuda")
    if s.name in ("adam", "adamw"):
        kind = torch.optim.Adam if s.name == "adam" else torch.optim.AdamW
        return kind(parameters, lr=s.lr, betas=s.betas, eps=s.eps, weight_decay=s.weight_decay, fused=fused)
    if s.name == "sgd":
        return torch.optim.SGD(parameters, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay, fused=fused)
    return torch.optim.RMSprop(
        parameters, lr=s.lr, alpha=s.alpha, eps=s.eps, momentum=s.momentum, weight_decay=s.weight_decay, foreach=True
    )


class Average:
    """The moving average of a network: parameters averaged, buffers copied, always in evaluation mode."""

    def __init__(self, network: nn.Module, settings: Ema):
        self.settings = settings
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._averaged: list[Tensor] = list(self.network.parameters())
        self._live: list[Tensor] = list(network.parameters())
        buffers = list(zip(self.network.buffers(), network.buffers(), strict=True))
        self._buffers = [average for average, _ in buffers], [live for _, live in buffers]

    def update(self, images: int, drawn: int) -> None:
        """After a step that brought the count of real images to `images` by `drawn`."""
        half_life = float(self.settings.half_life)
        if self.settings.rampup is not None:
            half_life = min(half_life, images * self.settings.rampup)
        weight = 1 - 0.5 ** (drawn / max(half_life, 1e-8))
        with torch.no_grad():
            torch._foreach_lerp_(self._averaged, self._live, weight)
            averaged, live = self._buffers
            if averaged:
                torch._foreach_copy_(averaged, live)
