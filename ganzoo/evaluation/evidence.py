"""What a metric is given: samples, reference and training pictures, with features that are computed once."""

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.errors import GanzooError
from ganzoo.evaluation.cache import cached
from ganzoo.evaluation.frechet import Moments
from ganzoo.evaluation.pictures import Pictures
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
        parts = [self.network.classify(part.to(self.network.device)).cpu() for part in self.features.split(1000)]
        return torch.cat(parts)

    @property
    def named(self) -> Tensor:
        """The class that the classifier gives each picture."""
        return self.logits.argmax(1)

    def of_class(self, label: int) -> Tensor:
        """Rows of the features that have this label."""
        return self.features[self.labels == label]

    @cached_property
    def _seen(self) -> dict[str, Tensor]:
        if not self.keep:
            return self._look()
        about = self.network.weights_sha256 if self.network else "none"
        return cached(f"{self.pictures.sha256}-{about}", self._look)

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


def _thumbnails(images: Tensor) -> Tensor:
    small = images.float() if images.shape[1] == 1 else grey(images.float())
    height, width = (min(side, THUMBNAIL) for side in images.shape[2:])
    return adaptive_avg_pool2d(small, (height, width)).round().byte().flatten(1)


class Evidence:
    """The pictures of one seed beside the reference and, where it is known, what the model was trained on."""

    def __init__(
        self,
        samples: View,
        reference: View | None = None,
        training: View | None = None,
        network: Features | None = None,
        sources: Pictures | None = None,
    ):
        self.samples, self.network, self.sources = samples, network, sources
        self._reference, self._training = reference, training
        self._once: dict[Hashable, Any] = {}

    @property
    def reference(self) -> View:
        if self._reference is None:
            raise GanzooError("this metric needs a reference; name a folder with --reference")
        return self._reference

    @property
    def training(self) -> View:
        if self._training is None:
            raise GanzooError(f"what {self.samples.pictures.name} was trained on is not at hand, which this needs")
        return self._training

    @property
    def label_names(self) -> tuple[str, ...]:
        return self.samples.pictures.label_names

    @property
    def has_training(self) -> bool:
        return self._training is not None

    @property
    def has_reference(self) -> bool:
        return self._reference is not None

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """A value that several metrics share."""
        if key not in self._once:
            self._once[key] = compute()
        return self._once[key]
