"""The base of every metric, and what it makes: a measurement that carries its protocol."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ganzoo.errors import GanzooError
from ganzoo.settings import Settings

if TYPE_CHECKING:
    from ganzoo.evaluation.evidence import Evidence

Need = Literal["features", "reference", "training", "labels", "classifier", "pairs", "sources"]


@dataclass(frozen=True)
class Result:
    """What a metric found for one seed: the number, its value for each class, and what explains it."""

    value: float
    per_class: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)
    count: int | None = None  # samples that entered, where fewer than were made
    counterparts: str = "none"  # how a sample's own picture of the reference entered, where it has one


class Metric:
    """A measured number. `measure` is given the evidence: samples, reference and training pictures, their features.

    `needs` says what it can't do without; the evidence refuses with a reason before anything is computed.
    """

    class Config(Settings):
        """Settings of the metric; none by default."""

    higher_is_better: bool
    needs: tuple[Need, ...] = ("features", "reference")
    title: str = ""  # as people call it; the feature network's name is added
    standard: tuple[str, str, int] | None = None  # its name, where this network sees so many samples and training data
    ideal: float | None = None  # what the real data would score
    pixelwise = False  # True: thumbnails of unlike sizes can't be compared, so the sets' pictures must have one size

    def __init__(self, config: Any = None):
        self.config: Any = config if config is not None else self.Config()

    @property
    def minimum(self) -> int:
        """Pictures that samples and reference must each have at least."""
        return 2

    def measure(self, evidence: "Evidence") -> Result:
        """The number for one set of samples. Raises GanzooError."""
        raise NotImplementedError


class UnlikeError(GanzooError):
    """Two measurements were made by different protocols, so their numbers can't be compared."""


class Protocol(Settings):
    """How a number was measured. The first fields decide what it can be compared with, the last three only inform."""

    metric: str = Field(max_length=200)
    settings: dict[str, Any] = Field(default={}, description="of the metric, with their version")
    features: str = Field(default="none", max_length=200, description="feature network")
    features_sha256: str = Field(default="", max_length=64, description="hash of its weights")
    reference: str = Field(
        default="none", max_length=500, description="what the samples are compared with, and its split"
    )
    reference_sha256: str = Field(default="", max_length=64, description="hash of its pixels")
    reference_count: int = Field(default=0, ge=0)
    training: str = Field(
        default="none", max_length=500, description="what the model learned from, where the metric uses it"
    )
    training_sha256: str = Field(default="", max_length=64, description="hash of its pixels")
    count: int = Field(ge=1, description="samples of each seed that entered")
    labels: str = Field(
        default="none", max_length=500, description="how often each is asked of a model that knows labels"
    )
    options: str = Field(default="none", max_length=500, description="of sampling, such as truncation=0.7")
    counterparts: str = Field(
        default="none", max_length=100, description="how a sample's own one in the reference entered"
    )
    resize: str = Field(default="none", max_length=200)
    colour: str = Field(default="as is", max_length=200)
    crop: str = Field(default="none", max_length=200)
    depth: str = Field(default="8 bits a channel", max_length=100)
    seeds: tuple[int, ...] = Field(default=(), max_length=1000)
    libraries: dict[str, str] = {}
    hardware: str = Field(default="", max_length=300)

    def differences(self, other: "Protocol") -> list[str]:
        """What makes numbers by the two protocols unlike, in words; empty when they can be compared."""
        return [
            f"{name} is {getattr(self, name)!r} and {getattr(other, name)!r}"
            for name in type(self).model_fields
            if name not in ("seeds", "libraries", "hardware") and getattr(self, name) != getattr(other, name)
        ]


class Measurement(Settings):
    """A measured number: its mean over the seeds, their standard deviation, and the protocol."""

    title: str = Field(max_length=200, description="as people call it: Fréchet distance (digits-cnn)")
    value: float
    spread: float | None = Field(
        default=None, ge=0, description="standard deviation over the seeds; none for a single seed"
    )
    values: tuple[float, ...] = Field(max_length=1000, description="one a seed")
    higher_is_better: bool
    per_class: dict[str, float] = Field(default={}, max_length=100_000, description="means over the seeds")
    details: dict[str, float] = {}
    protocol: Protocol

    @classmethod
    def of(cls, title: str, higher_is_better: bool, results: list[Result], protocol: Protocol) -> "Measurement":
        """The measurement from one result a seed."""
        values = tuple(result.value for result in results)
        return cls(
            title=title,
            value=statistics.fmean(values),
            spread=statistics.stdev(values) if len(values) > 1 else None,
            values=values,
            higher_is_better=higher_is_better,
            per_class=_means([result.per_class for result in results]),
            details=_means([result.details for result in results]),
            protocol=protocol,
        )

    def minus(self, other: "Measurement") -> float:
        """This value less the other's. Raises UnlikeError, which names every difference of the protocols."""
        different = self.protocol.differences(other.protocol)
        if different:
            raise UnlikeError(
                f"{self.title} can't be compared: {'; '.join(different)}; measure both with `ganzoo evaluate` alike"
            )
        return self.value - other.value

    def better_than(self, other: "Measurement") -> bool:
        """Whether this value is the better one. Raises UnlikeError."""
        difference = self.minus(other)
        return difference > 0 if self.higher_is_better else difference < 0

    def __str__(self) -> str:
        spread = f" ± {_short(self.spread)}" if self.spread is not None else ""
        return f"{_short(self.value)}{spread}"


def _short(number: float) -> str:
    return f"{number:.4f}" if abs(number) < 10 else f"{number:.2f}"


def _means(tables: list[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(table[name] for table in tables) for name in tables[0]}
