"""Combinations of parts that are allowed and seldom meant, said once, when a training begins."""

import logging
from collections.abc import Iterator, Mapping

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.regularized import discriminators
from ganzoo.resolve import Parts

log = logging.getLogger("ganzoo")


def say(parts: Parts, networks: Mapping[str, nn.Module]) -> None:
    """Log a warning for each."""
    for caution in cautions(parts, networks):
        log.warning(caution)


def cautions(parts: Parts, networks: Mapping[str, nn.Module]) -> Iterator[str]:
    """What is said of the parts of a recipe and the networks built of them."""
    recipe = parts.recipe
    about: dict[str, str] = {f"strategy {recipe.strategy.name!r}": parts.strategy.slopes}
    about |= {f"regularizer {name!r}": str(one.slopes) for name, one in parts.strategy.regularizers.items()}
    if recipe.loss and parts.loss and parts.loss.needs_slopes and not set(about.values()) & {"penalised", "bounded"}:
        yield (
            f"nothing bounds the slope of the discriminator, and without that the loss {recipe.loss.name!r} can fall "
            'for ever (Arjovsky et al., 2017, section 3): take strategy.name = "wgan-gp" or "r1r2", or a regularizer '
            "such as gradient-penalty or spectral-norm"
        )
    penalises = [who for who, slopes in about.items() if slopes == "penalised"]
    mixing = [
        name
        for name in discriminators(parts.strategy)
        if any(isinstance(m, _BatchNorm) for m in networks[name].modules())
    ]
    if penalises and mixing:
        setting = (
            '; take architecture.discriminator_norm = "none"'
            if "discriminator_norm" in recipe.architecture.settings
            else ""
        )
        yield (
            f"{penalises[0]} penalises the slope of {mixing[0]!r} at each image, and its batch norm mixes the images "
            f"of a batch, so the penalty misses its aim (Gulrajani et al., 2017, section 4){setting}"
        )
