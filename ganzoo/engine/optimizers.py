"""One optimiser per network, and the moving average of its weights. Nothing here makes the host wait for the device."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.recipes import Ema, Optimizer


class NetworkOptimizer:
    """Steps the trainable parameters of one network."""

    def __init__(self, network: nn.Module, settings: Optimizer):
        self.settings = settings
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = _build(settings, self.parameters)

    def rate(self, images: int, fraction: float) -> float:
        """The learning rate after `images` real images, `fraction` of the budget."""
        s = self.settings
        warm = min(1.0, images / s.warmup) if s.warmup else 1.0
        shape = {"constant": 1.0, "linear": 1 - fraction, "cosine": (1 + math.cos(math.pi * fraction)) / 2}[s.schedule]
        return s.lr * warm * (s.final + (1 - s.final) * shape)

    def step(self, gradients: Sequence[Tensor | None], norm: Tensor, bad: Tensor, rate: float) -> None:
        """One step; `bad` is 1.0 on the device when this update isn't finite, and then nothing moves."""
        used = [(p, g) for p, g in zip(self.parameters, gradients, strict=True) if g is not None]
        present = [g for _, g in used]  # not changed in place: autograd may hand out one tensor for two parameters
        if self.settings.clip_norm is not None:
            present = list(torch._foreach_mul(present, (self.settings.clip_norm / (norm + 1e-6)).clamp(max=1.0)))
        if self.settings.clip_value is not None:
            present = list(torch._foreach_clamp_min(present, -self.settings.clip_value))
            torch._foreach_clamp_max_(present, self.settings.clip_value)
        for (parameter, _), gradient in zip(used, present, strict=True):
            if gradient.stride() != parameter.stride():  # fused kernels walk both in memory order
                gradient = torch.empty_like(parameter).copy_(gradient)
            parameter.grad = gradient
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if getattr(self.optimizer, "_step_supports_amp_scaling", False):
            self.optimizer.found_inf = bad  # type: ignore[attr-defined]
            self.optimizer.step()
            # fused kernels leave the version counters alone; without this a graph through the old weights is accepted
            torch.autograd.graph.increment_version(self.parameters)
        else:
            self._masked_step(bad)
        for parameter in self.parameters:
            parameter.grad = None

    def _masked_step(self, bad: Tensor) -> None:
        state = [t for s in self.optimizer.state.values() for t in s.values() if isinstance(t, Tensor)]
        kept = [(t, t.detach().clone()) for t in (*self.parameters, *state)]
        self.optimizer.step()
        with torch.no_grad():
            for now, before in kept:
                now.copy_(torch.where(bad.to(now.device) > 0, before, now))

    def state_dict(self) -> dict[str, Any]:
        return self.optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state)


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
        self._buffers = list(zip(self.network.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def update(self, images: int, drawn: int) -> None:
        """After a step that brought the count of real images to `images` by `drawn`."""
        half_life = float(self.settings.half_life)
        if self.settings.rampup is not None:
            half_life = min(half_life, images * self.settings.rampup)
        weight = 1 - 0.5 ** (drawn / max(half_life, 1e-8))
        torch._foreach_lerp_(self._averaged, self._live, weight)
        for average, live in self._buffers:
            average.copy_(live)
