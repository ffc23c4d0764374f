"""The classifier of letters and digits, whose last hidden layer is the feature space of the glyph models."""

import string

from ganzoo_metrics.classifier import ClassifierFeatures


class GlyphsCNN(ClassifierFeatures):
    """64 features of a letter or digit, from a classifier trained on the 398 training fonts of `glyphs`.

    Made by `python -m ganzoo_collections.train_glyphs`; its accuracy on the 96 unseen fonts is in the metadata.
    """

    anchor, weights = "ganzoo_collections", "glyphs-cnn.safetensors"
    size, widths = 32, (24, 48, 96, 96)
    labels = tuple(string.ascii_uppercase + string.digits)
    licence = "Apache-2.0"
