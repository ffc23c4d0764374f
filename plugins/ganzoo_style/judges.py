"""A translation judged by its patches and by the features of a frozen network."""

from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from ganzoo import Discriminator
from ganzoo_projected.architectures import ProjectedDiscriminator
from ganzoo_style.networks import PatchGAN


class PatchesAndFeatures(Discriminator):
    """Images (N, channels, H, W) to the logits of patches and of a frozen network's four scales (Sauer et al., 2021).

    One judge of features sees the picture at one size. With several, what is made has to look right from near and far.

    The features know what a picture shows and are slow to mind a speck; patches see it at once. The features are judged
    without the picture that they were made from: where pairs don't match in each pixel, seeing both would tell at once
    which was drawn by hand.
    """

    def __init__(self, patches: PatchGAN, features: list[ProjectedDiscriminator]):
        super().__init__()
        self.patches, self.projected = patches, nn.ModuleList(features)
        self.per_sample = patches.per_sample

    def outputs(self, images: Tensor, *given: Tensor) -> SimpleNamespace:
        """`logits` as `forward` gives them, and `features`, those of the patches' layers."""
        seen = self.patches.outputs(images, *given)
        logits = seen.logits if isinstance(seen.logits, list) else [seen.logits]
        for judge in self.projected:
            logits = [*logits, *judge(images)]
        return SimpleNamespace(logits=logits, features=seen.features)

    def forward(self, images: Tensor, *given: Tensor) -> Any:
        return self.outputs(images, *given).logits
