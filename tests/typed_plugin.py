"""Parts of a plugin, by somebody who checks types with mypy --strict and no more; see test_scaffold."""

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from ganzoo import (
    Architecture,
    Evidence,
    Features,
    Logits,
    Loss,
    Measurement,
    Metric,
    Pair,
    Protocol,
    Regularizer,
    ResidentDataset,
    Result,
    Run,
    Settings,
    Spec,
    Strategy,
    Update,
    Updates,
    hookimpl,
)


class Weighted(Settings):
    weight: float = Field(1.0, ge=0, description="of everything")


class TypedArchitecture(Architecture):
    class Config(Weighted):
        """Its settings."""

    def build(self, network: str) -> nn.Module:
        return nn.Linear(self.config.weight, 1)


class TypedLoss(Loss):
    class Config(Weighted):
        """Its settings."""

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        weight: float = self.config.weight
        return (fake - real).mean() * weight

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        weight: float = self.config.weight
        return -fake.mean() * weight


class TypedStrategy(Strategy):
    class Config(Settings):
        critic_steps: int = Field(1, ge=1, description="updates of the discriminator")

    def __init__(self, config: Any = None, loss: Loss | None = None) -> None:
        super().__init__(config, loss)
        self.steps = self.config.critic_steps

    def step(self, nets: Any, batches: Iterator[tuple[Tensor, ...]]) -> Updates:
        real, *condition = next(batches)
        for _ in range(self.config.critic_steps):
            fake = nets.generator(nets.generator.latent(len(real)), *condition)
            logits: tuple[Logits, ...] = self.logits(nets.discriminator, (real, fake.detach()), *condition)
            yield Update(nets.discriminator, self.loss.discriminator(*logits))


class TypedRegularizer(Regularizer):
    class Config(Weighted):
        """Its settings."""

    def term(self, D: nn.Module, pair: Pair) -> Tensor:
        logits: Tensor = D(pair.real, *pair.condition)
        weight: float = self.config.weight
        return logits.square().mean() * weight


class TypedFeatures(Features):
    class Config(Weighted):
        """Its settings."""

    def embed(self, images: Tensor) -> Tensor:
        weight: float = self.config.weight
        return images.flatten(1) * weight


class TypedDataset(ResidentDataset):
    class Config(Settings):
        size: int = Field(28, ge=8, le=256, description="side")

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.hold(image=torch.zeros(16, 1, self.config.size, self.config.size).byte())
        self.spec = Spec(name="nothing", count=16, size=self.config.size, channels=1, licence="CC0-1.0")


class TypedMetric(Metric):
    class Config(Weighted):
        """Its settings."""

    higher_is_better = False

    def measure(self, evidence: Evidence) -> Result:
        return Result(self.config.weight * evidence.samples.count)


def measurement(value: float) -> Measurement:
    protocol = Protocol(metric="typed", count=16)
    return Measurement(title="Typed", value=value, values=(value,), higher_is_better=False, protocol=protocol)


@hookimpl
def ganzoo_training_finished(run: Run) -> None:
    print(run.folder)
