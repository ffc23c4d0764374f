"""Feature networks and metrics that come with ganzoo."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_features():
    return {"digits-cnn": "ganzoo_metrics.digits:DigitsCNN"}


@hookimpl
def ganzoo_metrics():
    sets = {
        "frechet-distance": "FrechetDistance",
        "class-frechet-distance": "ClassFrechetDistance",
        "kernel-distance": "KernelDistance",
        "precision": "Precision",
        "recall": "Recall",
        "density": "Density",
        "coverage": "Coverage",
        "class-coverage": "ClassCoverage",
    }
    labels = {"label-accuracy": "LabelAccuracy", "classifier-accuracy": "ClassifierAccuracy"}
    copies = {"copies": "Copies", "duplicates": "Duplicates"}
    homes = {"sets": sets, "labels": labels, "copies": copies}
    return {name: f"ganzoo_metrics.{home}:{target}" for home, names in homes.items() for name, target in names.items()}
