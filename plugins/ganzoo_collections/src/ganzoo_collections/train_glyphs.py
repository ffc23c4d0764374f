"""Train `glyphs-cnn` on the 398 training fonts alone: `python -m ganzoo_collections.train_glyphs --out FILE`."""

import argparse
import time
from functools import partial
from pathlib import Path

import torch

from ganzoo_collections.glyphs import Glyphs
from ganzoo_collections.glyphs_cnn import WEIGHTS, GlyphsCNN
from ganzoo_metrics.classifier import SmallClassifier, save, train, warped

augmented = partial(warped, degrees=6, scale=0.1, shift=2, shear=0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(WEIGHTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    began = time.monotonic()
    torch.manual_seed(chosen.seed)
    data, unseen = (Glyphs(Glyphs.Config(split=split)).data for split in ("train", "test"))
    network = SmallClassifier(GlyphsCNN.size, len(GlyphsCNN.labels), GlyphsCNN.widths)
    made = train(network, data["image"], data["label"], epochs=chosen.epochs, augment=augmented)
    splits = {"the 96 unseen fonts": unseen, "the training fonts": data}
    about = {
        "made by": f"python -m ganzoo_collections.train_glyphs --seed {chosen.seed} --epochs {chosen.epochs}",
        "trained on": "glyphs (train), 36 characters in 398 fonts",
    }
    measured = save(made, chosen.out, {n: (d["image"], d["label"]) for n, d in splits.items()}, **about)
    print(f"{time.monotonic() - began:.0f} s; {measured}")


if __name__ == "__main__":
    main()
