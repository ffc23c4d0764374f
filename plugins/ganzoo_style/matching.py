"""Distances between the features of two pictures."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, l1_loss, max_pool2d, pad

from ganzoo import Features, wide


def features_apart(made: list[list[Tensor]], wanted: list[list[Tensor]]) -> Tensor:
    """Mean L1 distance over the layers of each scale (Wang et al., 2018, eq. 4)."""
    pairs = [pair for scale in zip(made, wanted, strict=True) for pair in zip(*scale, strict=True)]
    return torch.stack([l1_loss(a, b) for a, b in pairs]).mean()


def patches_apart(
    heads: nn.Module, made: list[Tensor], source: list[Tensor], places: int, temperature: float
) -> Tensor:
    """Cross-entropy of finding a patch's own source among the patches of that picture (Park et al., 2020, eq. 3).

    `made` and `source` are features of several scales, (N, C, H, W). The gradient goes through both, as the equation
    has it; the authors' own program takes the source's vectors as given.
    """
    chosen = [torch.rand(1, x[0, 0].numel(), device=x.device).argsort(1)[0, :places] for x in made]
    query, key = (
        heads([x.flatten(2).transpose(1, 2)[:, at] for x, at in zip(side, chosen, strict=True)])
        for side in (made, source)
    )
    losses = []
    for q, k in zip(query, key, strict=True):
        alike = (wide(q) @ wide(k).transpose(1, 2) / temperature).flatten(0, 1)
        own = torch.arange(q.shape[1], device=q.device).repeat(len(q))
        losses.append(cross_entropy(alike, own))
    return torch.stack(losses).mean()


def new_edges(made: Tensor, source: Tensor) -> Tensor:
    """How much of the edges in `made` the source doesn't account for: zero where they were, and where it is evened out.

    A difference between neighbouring pixels counts beyond twice the largest that the source has within a pixel of it,
    in any channel. The mean over all differences, so a total variation (Rudin et al., 1992) of what is new. Images
    (N, C, H, W) of one range.
    """
    across, down = _differences(source)
    steepest = torch.maximum(pad(across, (0, 1)), pad(down, (0, 0, 0, 1))).amax(1, keepdim=True)
    allowed = 2 * max_pool2d(steepest, 3, stride=1, padding=1)
    across, down = _differences(made)
    return (across - allowed[..., :-1]).relu().mean() + (down - allowed[..., :-1, :]).relu().mean()


def _differences(images: Tensor) -> tuple[Tensor, Tensor]:
    """Between each pixel and the next in its row, (N, C, H, W - 1), and in its column, (N, C, H - 1, W)."""
    return images.diff(dim=3).abs(), images.diff(dim=2).abs()


def perceptual_distances(network: Features, made: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """How far a frozen network's features of two pictures are apart, at each place and as statistics.

    The first is 1 less the cosine at each place (after Johnson et al., 2016), the second the squared difference of the
    features' mean and deviation over the picture, relative to the target's (after Huang and Belongie, 2017, eq. 13): it
    doesn't mind where things are. Both are means over the layers. Images (N, C, H, W) in [-1, 1].
    """
    network.beside(made)
    with torch.no_grad():
        target = network.maps(network.prepare((wanted + 1) / 2))
    found = network.maps(network.prepare((made + 1) / 2))
    places = [1 - cosine_similarity(a, b).mean() for a, b in zip(found, target, strict=True)]
    statistics = [_unlike(_statistics(a), _statistics(b)) for a, b in zip(found, target, strict=True)]
    return torch.stack(places).mean(), torch.stack(statistics).mean()


def _statistics(maps: Tensor) -> Tensor:
    flat = maps.flatten(2)
    return torch.cat([flat.mean(2), (flat.var(2, unbiased=False) + 1e-6).sqrt()], 1)


def _unlike(made: Tensor, wanted: Tensor) -> Tensor:
    return ((made - wanted).square().sum(1) / (wanted.square().sum(1) + 1e-6)).mean()
