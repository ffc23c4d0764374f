"""Metrics of conditional models: whether a sample is what was asked for."""

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import cross_entropy

from ganzoo import GanzooError, Metric, Result, Settings


def per_class(right: torch.Tensor, labels: torch.Tensor, names: tuple[str, ...]) -> dict[str, float]:
    """The fraction right in each class. Raises GanzooError for a class without pictures."""
    seen = set(labels.tolist())
    without = [name for i, name in enumerate(names) if i not in seen]
    if without:
        raise GanzooError(
            f"the accuracy of each class needs a picture of each, and {len(labels)} pictures leave {len(without)} of "
            f"{len(names)} classes without one, such as {without[0]!r}; take more"
        )
    return {name: right[labels == i].double().mean().item() for i, name in enumerate(names)}


class LabelAccuracy(Metric):
    """The fraction of samples that a classifier names as the class that was asked for.

    The feature network, where it knows the classes, or else a linear probe of the training pictures' features.
    """

    title = "Label accuracy"
    needs = ("features", "labels", "classifier")
    higher_is_better, ideal = True, 1.0

    def measure(self, evidence):
        samples = evidence.samples
        right = evidence.named(samples) == samples.labels
        return Result(right.double().mean().item(), per_class(right, samples.labels, evidence.label_names))


class ClassifierAccuracy(Metric):
    """The instrument itself: the fraction of reference pictures that the classifier names rightly."""

    title = "Classifier on the reference"
    needs = ("features", "reference", "labels", "classifier")
    higher_is_better, ideal = True, 1.0

    def measure(self, evidence):
        view = evidence.reference
        right = evidence.named(view) == view.labels
        return Result(right.double().mean().item(), per_class(right, view.labels, view.pictures.label_names))


class InceptionScore(Metric):
    """exp of the mean divergence of a sample's class probabilities from the mean ones (Salimans et al., 2016).

    Over ten parts of the samples, averaged. It knows nothing of the real pictures.
    """

    title, standard = "Inception Score by another network", ("Inception Score", "inception-v3", 50_000)
    needs = ("features", "classifier")
    higher_is_better = True

    class Config(Settings):
        parts: int = Field(10, ge=1, le=1000, description="parts over which the score is averaged")

    @property
    def minimum(self):
        return 2 * self.config.parts

    def measure(self, evidence):
        scores, samples = [], evidence.samples
        for logits in samples.logits[samples.order].double().chunk(self.config.parts):
            log_p = logits.log_softmax(1)
            log_mean = log_p.exp().mean(0).log()
            scores.append((log_p.exp() * (log_p - log_mean)).sum(1).mean().exp().item())
        return Result(sum(scores) / len(scores))


class ClassificationAccuracyScore(Metric):
    """How well a classifier trained on the samples alone names the reference (Ravuri and Vinyals, 2019).

    A small convolutional network on grey thumbnails, the same for every model; `real` is its score when it is trained
    on as many training pictures, where they are at hand.
    """

    title, higher_is_better, pixelwise = "Classification accuracy score", True, True
    needs = ("reference", "labels")

    class Config(Settings):
        epochs: int = Field(3, ge=1, le=100, description="passes over the samples")

    def measure(self, evidence):
        names, reference = evidence.label_names, evidence.reference
        network = self._trained(evidence.samples, evidence.samples.count, len(names))
        right = _named(network, reference) == reference.labels
        details = {}
        if evidence.has_training:
            count = min(evidence.samples.count, evidence.training.count)
            real = self._trained(evidence.training, count, len(names))
            details = {"real": (_named(real, reference) == reference.labels).double().mean().item()}
        return Result(right.double().mean().item(), per_class(right, reference.labels, names), details)

    def _trained(self, view, count, classes):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = nn.Sequential(
                nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
                nn.Flatten(), nn.LazyLinear(64), nn.ReLU(), nn.Linear(64, classes),
            )  # fmt: skip
            places = view.order[:count]
            images, labels = _squares(view)[places], view.labels[places]
            network(images[:1])
            optimizer = torch.optim.Adam(network.parameters(), 2e-3)
            for _ in range(self.config.epochs):
                for rows in torch.randperm(len(images)).split(64):
                    loss = cross_entropy(network(images[rows]), labels[rows])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
        return network


def _squares(view):
    side = round(view.thumbnails.shape[1] ** 0.5)
    if side**2 != view.thumbnails.shape[1]:
        raise GanzooError("the classification accuracy score needs square pictures")
    return view.thumbnails.view(-1, 1, side, side)


@torch.no_grad()
def _named(network, view):
    return torch.cat([network(part) for part in _squares(view).split(500)]).argmax(1)
