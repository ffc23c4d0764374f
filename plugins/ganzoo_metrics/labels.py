"""Metrics of conditional models: whether a sample is what was asked for."""

import torch

from ganzoo import Metric, Result


def per_class(right: torch.Tensor, labels: torch.Tensor, names: tuple[str, ...]) -> dict[str, float]:
    """The fraction right in each class."""
    return {name: right[labels == i].double().mean().item() for i, name in enumerate(names)}


class LabelAccuracy(Metric):
    """The fraction of samples that a classifier names as the class that was asked for."""

    title = "Label accuracy"
    needs = ("features", "labels", "classifier")
    higher_is_better, ideal = True, 1.0

    def measure(self, evidence):
        samples = evidence.samples
        right = samples.named == samples.labels
        return Result(right.double().mean().item(), per_class(right, samples.labels, evidence.label_names))


class ClassifierAccuracy(Metric):
    """The instrument itself: the fraction of reference pictures that the classifier names rightly."""

    title = "Classifier on the reference"
    needs = ("features", "reference", "labels", "classifier")
    higher_is_better, ideal = True, 1.0

    def measure(self, evidence):
        view = evidence.reference
        right = view.named == view.labels
        return Result(right.double().mean().item(), per_class(right, view.labels, view.pictures.label_names))
