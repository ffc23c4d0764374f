"""Feature networks and metrics that come with ganzoo."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_features():
    others = {"effnet-lite0": "EffNetLite0", "timm": "Timm", "inception-v3": "InceptionV3", "dinov2": "DINOv2"}
    networks = {name: f"ganzoo_metrics.networks:{target}" for name, target in others.items()}
    return {"digits-cnn": "ganzoo_metrics.digits:DigitsCNN", **networks}


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
    labels = {
        "label-accuracy": "LabelAccuracy",
        "classifier-accuracy": "ClassifierAccuracy",
        "inception-score": "InceptionScore",
        "classification-accuracy-score": "ClassificationAccuracyScore",
    }
    restoration = {
        "psnr": "PSNR",
        "ssim": "SSIM",
        "ms-ssim": "MSSSIM",
        "lpips": "LPIPS",
        "patch-kernel-distance": "PatchKernelDistance",
        "spectrum-distance": "SpectrumDistance",
    }
    translation = {
        "content": "Content",
        "identity": "Identity",
        "retrieval": "Retrieval",
        "l1": "L1",
        "steadiness": "Steadiness",
    }
    copies = {"copies": "Copies", "duplicates": "Duplicates"}
    homes = {"sets": sets, "labels": labels, "copies": copies, "restoration": restoration, "translation": translation}
    return {name: f"ganzoo_metrics.{home}:{target}" for home, names in homes.items() for name, target in names.items()}
