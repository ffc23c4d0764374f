"""What values of the health report mean, in words: what is seen, which setting to try, and the paper behind it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ganzoo.recipes import Recipe

Values = Mapping[str, Any]
Finding = dict[str, str]


def findings(values: Values, recipe: Recipe) -> list[Finding]:
    """Everything that looks wrong, the worst first; none: nothing does."""
    return [finding for look in LOOKS for finding in look(values, recipe)]


def collapsed(values: Values, recipe: Recipe) -> Iterator[Finding]:
    diversity, duplicates = values.get("diversity", 1.0), values.get("duplicates", 0.0)
    if diversity >= 0.5 and duplicates <= 0.1:
        return
    twins = f", and {duplicates:.0%} have a twin" if "duplicates" in values else ""
    attempt, paper = "a smaller training.optimizer.lr", "Heusel et al., 2017"
    if recipe.strategy.name == "r1r2":
        attempt = "a larger strategy.gamma, or a smaller training.optimizer.generator.lr"
    elif recipe.task == "generate":
        attempt = f'strategy.name = "r1r2" with loss.name = "relativistic"{_without_norm(recipe)}'
        paper = "Huang et al., 2024, sections 2 and 3"
    yield _finding(
        f"the generator has collapsed: its images lie {diversity:.0%} as far apart as real ones{twins}", attempt, paper
    )


def vanished(values: Values, recipe: Recipe) -> Iterator[Finding]:
    ordered, change = values.get("pairs_ordered", 0.0), values.get("generator/gradient_end_over_start", 1.0)
    if ordered > 0.98 and change < 0.05:
        minimax = recipe.loss is not None and recipe.loss.name == "minimax"
        yield _finding(
            f"the generator's gradient has vanished: it is {change:.2g} of what it was, and the discriminator tells "
            f"real from generated in {ordered:.1%} of pairs",
            'loss.name = "non-saturating"'
            if minimax
            else f'strategy.name = "r1r2", which penalises steep discriminators{_without_norm(recipe)}',
            "Goodfellow et al., 2014, section 3" if minimax else "Mescheder et al., 2018",
        )
    elif ordered > 0.995:
        yield _finding(
            f"the discriminator is saturated: it tells real from generated in {ordered:.1%} of pairs "
            f"(logit gap {values.get('logit_gap', 0.0):.3g}), so its score says little about which image is better",
            f"a smaller training.optimizer.discriminator.lr, or {_penalty(recipe)}",
            "Arjovsky and Bottou, 2017; Heusel et al., 2017",
        )


def blind(values: Values, recipe: Recipe) -> Iterator[Finding]:
    if values.get("pairs_ordered", 1.0) < 0.3:
        yield _finding(
            f"the discriminator falls behind: it tells real from generated in {values['pairs_ordered']:.0%} of pairs",
            "a larger training.optimizer.discriminator.lr",
            "Heusel et al., 2017",
        )


def exploded(values: Values, recipe: Recipe) -> Iterator[Finding]:
    for key, peak in values.items():
        if key.endswith("/gradient_peak_over_median") and peak > 100:
            network = key.partition("/")[0]
            yield _finding(
                f"the gradient of {network} peaked at {peak:.0f} times its median",
                f"training.optimizer.{network}.clip_norm = 1.0, or a warmup",
                "Pascanu et al., 2013",
            )


def stride(values: Values, recipe: Recipe) -> Iterator[Finding]:
    for key, ratio in values.items():
        if key.endswith("/update_ratio") and not 1e-6 < ratio < 0.1:
            network = key.partition("/")[0]
            way = "long: each moves the weights by" if ratio >= 0.1 else "short: each moves the weights by only"
            better = "smaller" if ratio >= 0.1 else "larger"
            yield _finding(
                f"the steps of {network} are {way} {ratio:.2g} of their length",
                f"a {better} training.optimizer.{network}.lr",
                "You et al., 2017, section 4",
            )


def unbalanced(values: Values, recipe: Recipe) -> Iterator[Finding]:
    shares = values.get("class_shares", {})
    missing = [name for name, share in shares.items() if share < 0.1 / len(shares)]
    if missing:
        yield _finding(
            f"images near these classes are hardly ever made: {', '.join(missing[:20])}",
            'data.conditions = ["label"] with a conditional architecture'
            if not recipe.data.conditions
            else "a longer training.images, or a smaller training.optimizer.discriminator.lr",
            "Mirza and Osindero, 2014" if not recipe.data.conditions else "Heusel et al., 2017",
        )
    agreement = values.get("label_agreement", 1.0)
    if agreement < 0.5:
        yield _finding(
            f"only {agreement:.0%} of images look like the class that was asked for",
            "a longer training.images; then an architecture whose discriminator projects the label",
            "Miyato and Koyama, 2018",
        )


def _penalty(recipe: Recipe) -> str:
    """The way to a smoother discriminator from here."""
    setting = {"r1r2": "gamma", "wgan-gp": "penalty"}.get(recipe.strategy.name)
    if setting:
        return f"a larger strategy.{setting}"
    return f"a gradient penalty (strategies r1r2 and wgan-gp){_without_norm(recipe)}"


def _without_norm(recipe: Recipe) -> str:
    """What a penalised discriminator has to be without."""
    batch = recipe.architecture.settings.get("discriminator_norm") == "batch"
    return ', and architecture.discriminator_norm = "none"' if batch else ""


def _finding(seen: str, attempt: str, paper: str) -> Finding:
    return {"seen": seen, "try": attempt, "paper": paper}


LOOKS: tuple[Callable[[Values, Recipe], Iterator[Finding]], ...] = (
    vanished,
    collapsed,
    blind,
    exploded,
    stride,
    unbalanced,
)
