"""Train `digits-cnn` on the 8,000 real training digits alone: `python -m ganzoo_metrics.train_digits --out FILE`."""

import argparse
import time
from functools import partial
from pathlib import Path

import torch

from ganzoo_data.mnist import MNIST10k
from ganzoo_metrics.classifier import SmallClassifier, save, train, warped
from ganzoo_metrics.digits import WEIGHTS

augmented = partial(warped, degrees=12, scale=0.1, shift=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(WEIGHTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12)
    chosen = parser.parse_args()
    began = time.monotonic()
    torch.manual_seed(chosen.seed)
    data, held_out = (MNIST10k(MNIST10k.Config(split=split)).data for split in ("train", "test"))
    made = train(SmallClassifier(28, 10), data["image"], data["label"], epochs=chosen.epochs, augment=augmented)
    splits = {"the 2,000 held out": held_out, "the training digits": data}
    about = {
        "made by": f"python -m ganzoo_metrics.train_digits --seed {chosen.seed} --epochs {chosen.epochs}",
        "trained on": "mnist-10k (train), 8,000 digits",
    }
    measured = save(made, chosen.out, {n: (d["image"], d["label"]) for n, d in splits.items()}, **about)
    print(f"{time.monotonic() - began:.0f} s; {measured}")


if __name__ == "__main__":
    main()
