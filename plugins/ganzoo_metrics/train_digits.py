"""Train `digits-cnn` on the 8,000 real training digits alone: `python -m ganzoo_metrics.train_digits --out FILE`."""

from functools import partial

from ganzoo_data.mnist import MNIST10k
from ganzoo_metrics.digits import DigitsCNN
from ganzoo_metrics.train_classifier import command, warped

if __name__ == "__main__":
    command(
        "ganzoo_metrics.train_digits",
        DigitsCNN,
        MNIST10k,
        epochs=12,
        augment=partial(warped, degrees=12, scale=0.1, shift=2),
        trained_on="mnist-10k (train), 8,000 digits",
        seen="the training digits",
        unseen="the 2,000 held out",
    )
