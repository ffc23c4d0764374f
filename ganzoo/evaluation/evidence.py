"""What a metric is given: samples, reference and training pictures, with features that are computed once."""

import hashlib
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.errors import GanzooError
from ganzoo.evaluation.cache import cached
from ganzoo.evaluation.frechet import Moments
from ganzoo.evaluation.pictures import Pictures
from ganzoo.evaluation.probe import LinearProbe
from ganzoo.features import Features, grey

THUMBNAIL = 32  # side of the grey pictures in which copies are looked for; smaller pictures stay as they are
Tick = Callable[[str, int, int], None]


class View:
    """Pictures seen through a feature network. Features are float32 on the CPU, (N, width)."""

    def __init__(self, pictures: Pictures, network: Features | None, keep: bool = False, tick: Tick | None = None):
        self.pictures, self.network, self.keep, self.tick = pictures, network, keep, tick

    @property
    def count(self) -> int:
        return self.pictures.count

    @property
    def labels(self) -> Tensor:
        if self.pictures.labels is None:
            raise GanzooError(f"{self.pictures.name} has no labels, which this metric needs")
        return self.pictures.labels

    @property
    def features(self) -> Tensor:
        return self._seen["features"]

    @cached_property
    def order(self) -> Tensor:
        """Places (N,) in an order whose every stretch is like the whole, always the same: for whoever takes a part."""
        if self.pictures.mixed:
            return torch.arange(self.count)
        return torch.randperm(self.count, generator=torch.Generator().manual_seed(0))

    @property
    def thumbnails(self) -> Tensor:
        """Grey pixels in [0, 1], (N, pixels), at most 32 a side (area averages)."""
        return self._seen["thumbnails"].float() / 255

    @cached_property
    def moments(self) -> Moments:
        return Moments.over(self.features)

    @cached_property
    @torch.inference_mode()
    def logits(self) -> Tensor:
        if self.network is None:
            raise GanzooError("this metric needs a feature network; name one with --features")
        parts = [self.network.classify(part.to(self.network.device)).cpu() for part in torch.split(self.features, 1000)]
        return torch.cat(parts)

    @cached_property
    def probe(self) -> LinearProbe:
        """What these pictures teach of their classes."""
        return LinearProbe(self.features, self.labels, len(self.pictures.label_names))

    def of_class(self, label: int) -> Tensor:
        """Rows of the features that have this label, those of each stretch like the whole."""
        return self.features[self.order[self.labels[self.order] == label]]

    @cached_property
    def _seen(self) -> dict[str, Tensor]:
        if not self.keep:
            return self._look()
        return cached(f"{self.pictures.sha256}-{_about(self.network)}", self._look)

    @torch.inference_mode()
    def _look(self) -> dict[str, Tensor]:
        features, thumbnails, done = [], [], 0
        for batch in self.pictures.batches():
            if self.network is not None:
                features.append(self.network(batch).float().cpu())
            thumbnails.append(_thumbnails(batch))
            done += len(batch)
            if self.tick:
                self.tick(self.pictures.name, done, self.count)
        seen = {"thumbnails": torch.cat(thumbnails)}
        return seen | ({"features": torch.cat(features)} if features else {})


def _about(network: Features | None) -> str:
    """A feature network's kind, weights and settings as one hash: at another size it sees other things."""
    if network is None:
        return "none"
    settings = network.config.model_dump_json()
    return hashlib.sha256(f"{type(network).__name__} {network.weights_sha256} {settings}".encode()).hexdigest()


def _thumbnails(images: Tensor) -> Tensor:
    small = images.float() if images.shape[1] == 1 else grey(images.float())
    height, width = (min(side, THUMBNAIL) for side in images.shape[2:])
    return adaptive_avg_pool2d(small, (height, width)).round().byte().flatten(1)


class Evidence:
    """The samples of one seed beside what they are measured against.

    `reference` are real pictures (for a restoration the originals, pair by pair), `training` what the model learned
    from, `sources` what a translator was given, pair by pair. Each raises GanzooError where it is not at hand.
    """

    def __init__(
        self,
        samples: View,
        reference: View | None = None,
        training: View | None = None,
        network: Features | None = None,
        sources: View | None = None,
    ):
        self.samples, self.network = samples, network
        self._views = {"reference": reference, "training": training, "sources": sources}
        self._once: dict[Hashable, Any] = {}

    @property
    def reference(self) -> View:
        return self._view("reference", "what these pictures are compared with; name it with --reference")

    @property
    def training(self) -> View:
        return self._view("training", "the pictures that the model was trained on; name them with --training")

    @property
    def sources(self) -> View:
        return self._view("sources", "what the pictures were made from; name it with --sources")

    def _view(self, name: str, what: str) -> View:
        view = self._views[name]
        if view is None:
            raise GanzooError(f"this metric needs {what}")
        return view

    def pairs(self, name: str = "reference") -> Iterator[tuple[Tensor, Tensor]]:
        """Each sample with its partner, float32 (1, C, H, W) in [0, 1]. Raises GanzooError when they don't pair."""
        samples, others = self.samples.pictures, (self.reference if name == "reference" else self.sources).pictures
        if samples.keys != others.keys:
            raise GanzooError(
                f"{samples.name} ({samples.count}) and {others.name} ({others.count}) don't pair: "
                "both need the same pictures by name"
            )
        for i, (a, b) in enumerate(zip(samples.each(), others.each(), strict=True)):
            if a.shape != b.shape:
                raise GanzooError(
                    f"picture {samples.keys[i]} has the shape {tuple(a.shape)} in {samples.name} "
                    f"and {tuple(b.shape)} in {others.name}"
                )
            yield a[None].float() / 255, b[None].float() / 255

    @property
    def paired(self) -> bool:
        """Whether each sample has its counterpart in the reference, at the same place."""
        return self.samples.pictures.keys == self.reference.pictures.keys

    @property
    def label_names(self) -> tuple[str, ...]:
        return self.samples.pictures.label_names

    @property
    def probed(self) -> bool:
        """Whether a linear probe of the training pictures names classes, which the feature network doesn't know."""
        return self.network is not None and self.label_names not in ((), self.network.labels)

    def named(self, view: View) -> Tensor:
        """The class that is given to each picture of a view, by the feature network or the probe."""
        return self.training.probe.named(view.features) if self.probed else view.logits.argmax(1)

    @property
    def has_training(self) -> bool:
        return self._views["training"] is not None

    @property
    def against_training(self) -> bool:
        """Whether the reference is what the model learned from."""
        return self.has_training and self.reference.pictures.sha256 == self.training.pictures.sha256

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """A value that several metrics share."""
        if key not in self._once:
            self._once[key] = compute()
        return self._once[key]
