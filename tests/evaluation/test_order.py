"""Sets that stand by class, as folders with a subfolder for each do, measure as mixed ones do."""

import pytest
import torch

from ganzoo.evaluation import parts
from ganzoo.evaluation.evidence import Evidence, View
from ganzoo.evaluation.measure import evaluate_pictures, measure
from ganzoo.evaluation.pictures import Held
from ganzoo_data.mnist import MNIST10k

DIGITS = tuple("0123456789")


def both_ways(labels):
    """Places that sort by class, and places that mix."""
    return labels.argsort(stable=True), torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))


def test_parts_of_a_set_are_like_the_whole():
    train, test = (MNIST10k(MNIST10k.Config(split=split)).data for split in ("train", "test"))
    images, labels = train["image"][:4000], train["label"][:4000]
    reference = Held("held out", test["image"][:1000], test["label"][:1000], DIGITS)
    metrics = ["frechet-distance", "coverage", "density", "classification-accuracy-score"]
    sorted_, mixed = (
        evaluate_pictures(
            Held("samples", images[places], labels[places], DIGITS),
            reference,
            metrics,
            features="digits-cnn",
            training=Held("training", images[places], labels[places], DIGITS),
        )
        for places in both_ways(labels)
    )
    for name in metrics:
        assert sorted_[name].value == pytest.approx(mixed[name].value, abs=0.1), name
    distance = sorted_["frechet-distance"].details
    assert distance["ratio"] == pytest.approx(1)
    assert distance["real_distance"] == pytest.approx(mixed["frechet-distance"].details["real_distance"], rel=0.2)


def test_as_many_training_pictures_as_samples_are_drawn_from_all_of_them():
    train, test = (MNIST10k(MNIST10k.Config(split=split)).data for split in ("train", "test"))
    reference = Held("held out", test["image"][:1000], test["label"][:1000], DIGITS)
    found = []
    for places in both_ways(train["label"]):
        training = Held("training", train["image"][places], train["label"][places], DIGITS)
        samples = Held("samples", test["image"][1000:], test["label"][1000:], DIGITS)
        metrics = ["frechet-distance", "classification-accuracy-score"]
        found.append(evaluate_pictures(samples, reference, metrics, features="digits-cnn", training=training))
    for name, detail in (("frechet-distance", "ratio_all"), ("classification-accuracy-score", "real")):
        by_class, mixed = (each[name].details[detail] for each in found)
        assert mixed / 4 < by_class < mixed * 4, name  # the last classes alone: a hundredth of it


def test_the_inception_score_does_not_depend_on_the_order_of_the_classes():
    network = parts.features("digits-cnn")
    view = View(Held("x", torch.zeros(1000, 1, 28, 28)), network)
    logits = torch.eye(10).repeat_interleave(100, 0) * 100  # as a folder with a subfolder for each class gives them
    found = []
    for order in both_ways(logits.argmax(1)):
        view.__dict__["logits"] = logits[order]
        evidence = Evidence(view, network=network)
        found.append(measure("x", ["inception-score"], lambda *_, e=evidence: e, [], [])["inception-score"].value)
    assert found == pytest.approx([9.6, 9.6], abs=0.2)
