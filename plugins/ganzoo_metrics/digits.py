"""The classifier of digits, whose last hidden layer is the feature space of the digit models."""

from ganzoo_metrics.classifier import ClassifierFeatures


class DigitsCNN(ClassifierFeatures):
    """64 features of a digit, from a classifier trained on the 8,000 training digits of mnist-10k.

    Made by `python -m ganzoo_metrics.train_digits`; the weights' metadata holds its accuracy on the 2,000 held out.
    """

    anchor, weights = "ganzoo_metrics", "digits-cnn.safetensors"
    size = 28
    labels = tuple("0123456789")
    licence = "Apache-2.0"
