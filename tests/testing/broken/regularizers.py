"""Broken regularisers, each wrong in one line."""

import torch

from ganzoo import Regularizer
from tests.testing.broken.marks import caught_by


@caught_by("bf16")
class NarrowsWeights(Regularizer):
    """Holds the scores of real images near 0 (Karras et al., 2018, appendix A.1)."""

    def term(self, D, pair):
        if torch.is_autocast_enabled("cpu"):
            D.bfloat16()
        return 1e-3 * D(pair.real, *pair.condition).square().mean()
