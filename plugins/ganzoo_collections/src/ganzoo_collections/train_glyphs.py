"""Train `glyphs-cnn` on the 398 training fonts alone: `python -m ganzoo_collections.train_glyphs --out FILE`."""

from functools import partial

from ganzoo_collections.glyphs import Glyphs
from ganzoo_collections.glyphs_cnn import GlyphsCNN
from ganzoo_metrics.train_classifier import command, warped

if __name__ == "__main__":
    command(
        "ganzoo_collections.train_glyphs",
        GlyphsCNN,
        Glyphs,
        epochs=20,
        augment=partial(warped, degrees=6, scale=0.1, shift=2, shear=0.1),
        trained_on="glyphs (train), 36 characters in 398 fonts",
        seen="the training fonts",
        unseen="the 96 unseen fonts",
    )
