"""Carry out a strategy's step with the regularisers of its recipe, without the strategy's knowing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.loss import Logits, Loss
from ganzoo.regularizer import Pair, Regularizer
from ganzoo.strategy import OVER, LazyUpdate, Strategy, Update, Updates, together


def discriminators(strategy: Strategy | type[Strategy]) -> list[str]:
    """The networks of a strategy that regularisers act on."""
    return [name for name in strategy.networks if name.startswith("discriminator")]


def regularize(strategy: Strategy, regularizers: Mapping[str, Regularizer]) -> None:
    """Add regularisers, by their names, to a strategy that was just made."""
    if regularizers:
        strategy.regularizers = nn.ModuleDict(regularizers)
        strategy.loss = Overheard(strategy.loss)


def attach(strategy: Strategy, name: str, network: nn.Module) -> None:
    """Let regularisers change a network that was just built."""
    for regularizer in strategy.regularizers.values():
        if name in discriminators(strategy):
            regularizer.attach(network)  # type: ignore[operator]


def main_share(strategy: Strategy, network: str) -> float:
    """Of a network's updates those that aren't lazy: k / (k + 1), or 1 (Karras et al., 2020, appendix B)."""
    intervals = [*strategy.lazy(network)]
    if network in discriminators(strategy):
        intervals += sorted({r.every for r in _terms(strategy).values() if r.every > 1})
    return 1 / (1 + sum(1 / k for k in intervals))


def after_step(strategy: Strategy, means: Mapping[str, Tensor]) -> None:
    """Let the strategy and its regularisers change their state."""
    strategy.after_step(means)
    for regularizer in strategy.regularizers.values():
        regularizer.after_step(means, strategy.progress.images)  # type: ignore[operator]


def updates(strategy: Strategy, nets: Any, batches: Iterator[tuple[Tensor, ...]]) -> Updates:
    """The updates of one step, those of the regularisers among them."""
    return _regularized(strategy, nets, batches) if strategy.regularizers else strategy.step(nets, batches)


def _regularized(strategy: Strategy, nets: Any, batches: Iterator[tuple[Tensor, ...]]) -> Updates:
    terms = {n: r for n, r in _terms(strategy).items() if strategy.due(r.every)}
    calls: list[Call] = []
    everything: Any = list(strategy.regularizers.values())
    shown = {n: Shown(getattr(nets, n), everything, calls, bool(terms)) for n in discriminators(strategy)}
    listening = bool(terms) or any(type(r).observe is not Regularizer.observe for r in everything)
    turn = strategy.step(SimpleNamespace(**{n: getattr(nets, n) for n in strategy.networks} | shown), batches)
    heard: Any = strategy.loss
    judges = {one.network for one in shown.values()}
    trained = added = False
    while True:
        calls.clear()
        heard.pairs.clear()
        yielded = next(turn, OVER)
        if yielded is OVER:
            break
        updates = together(strategy, yielded)
        for update in updates:
            update.networks = tuple(n.network if isinstance(n, Shown) else n for n in update.networks)
            trained |= not judges.isdisjoint(update.networks)
        pairs = _pairs(strategy, heard.pairs, calls, updates) if listening else []
        for update, D, pair in pairs:
            for name, regularizer in terms.items():
                if regularizer.every == 1:
                    term = regularizer.term(D, pair) * _share(update, pairs)
                    update.loss = update.loss + term
                    update.metrics[name] = update.metrics.get(name, 0) + term.detach()
            added = True
        yield updates
        if terms:
            yield from _lazy(terms, pairs)
    if terms and trained and not added:
        raise PluginError(
            f"strategy {type(strategy).__name__} never scored real against fake by self.loss.discriminator(...), so "
            f"{', '.join(terms)} had no loss to be added to"
        )


def _terms(strategy: Strategy) -> dict[str, Regularizer]:
    return {n: r for n, r in strategy.regularizers.items() if isinstance(r, Regularizer) and r.has_term()}


def _share(update: Update, pairs: "Sequence[tuple[Update, Shown, Pair]]") -> float:
    """An update on several kinds of fakes gets the mean of a term."""
    return 1 / sum(other is update for other, _, _ in pairs)


def _lazy(terms: Mapping[str, Regularizer], pairs: "Sequence[tuple[Update, Shown, Pair]]") -> Updates:
    by_interval: dict[int, dict[str, Regularizer]] = defaultdict(dict)
    for name, regularizer in terms.items():
        if regularizer.every > 1:
            by_interval[regularizer.every][name] = regularizer
    for every, due in by_interval.items():
        by_network: dict[Shown, list[Pair]] = defaultdict(list)
        for _, D, pair in pairs:
            by_network[D].append(pair)
        for D, here in by_network.items():
            found = {name: torch.stack([r.term(D, pair) for pair in here]).mean() for name, r in due.items()}
            yield LazyUpdate(D.network, every * torch.stack(list(found.values())).sum(), **found)


@dataclass
class Call:
    """One call of a discriminator: what it was shown, and what it said."""

    shown: "Shown"
    images: Tensor
    condition: tuple[Tensor, ...]
    logits: Logits


class Shown(nn.Module):
    """A discriminator as a regularised strategy meets it: images are augmented, and calls are remembered."""

    def __init__(self, network: nn.Module, regularizers: list[Regularizer], calls: list[Call], apart: bool):
        super().__init__()
        self.network, self.calls = network, calls
        self.regularizers = regularizers  # a plain list: they are the strategy's, not the network's
        # one batch a call where calls must be told apart
        self.per_sample = not apart and getattr(network, "per_sample", False)

    def forward(self, images: Tensor, *condition: Tensor) -> Any:
        return self._remember(images, condition, self.network(self._augmented(images), *condition))

    def outputs(self, images: Tensor, *condition: Tensor) -> Any:
        made = self.network.outputs(self._augmented(images), *condition)  # type: ignore[operator]
        self._remember(images, condition, made.logits)
        return made

    def _augmented(self, images: Tensor) -> Tensor:
        for regularizer in self.regularizers:
            images = regularizer.augment(images)
        return images

    def _remember(self, images: Tensor, condition: tuple[Tensor, ...], logits: Any) -> Any:
        self.calls.append(Call(self, images.detach(), condition, logits))
        return logits

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("network"), name)


class Overheard(Loss):
    """A loss that remembers which logits it was told are real and which fake."""

    def __init__(self, loss: Loss):
        super().__init__(loss.config)
        self.inner, self.relativistic, self.per_sample = loss, loss.relativistic, loss.per_sample
        self.only_differences = loss.only_differences
        self.pairs: list[tuple[Logits, Logits]] = []

    def discriminator(self, real: Logits, fake: Logits) -> Tensor:
        self.pairs.append((real, fake))
        return self.inner.discriminator(real, fake)

    def generator(self, fake: Logits, real: Logits | None = None) -> Tensor:
        return self.inner.generator(fake, real)


def _pairs(
    strategy: Strategy,
    heard: Sequence[tuple[Logits, Logits]],
    calls: Sequence[Call],
    together: Sequence[Update],
) -> list[tuple[Update, Shown, Pair]]:
    """The updates that train a discriminator on real against fake, with their images."""
    found = []
    for real_logits, fake_logits in heard:
        real, fake = _source(real_logits, calls), _source(fake_logits, calls)
        if real is None or fake is None or real.images.shape != fake.images.shape:
            raise PluginError(
                f"strategy {type(strategy).__name__} gives its loss logits that don't come from one call of the "
                "discriminator each, so nobody can tell real images from fake; score them by self.logits(...)"
            )
        verdicts = _less(real_logits, fake_logits) if strategy.loss.only_differences else (real_logits, fake_logits)
        for update in together:
            if real.shown.network in update.networks:
                for regularizer in strategy.regularizers.values():
                    said = regularizer.observe(*verdicts)  # type: ignore[operator]
                    update.metrics |= {name: value.detach() for name, value in said.items()}
                pair = Pair(real.images, fake.images, real.condition, fake.condition)
                found.append((update, real.shown, pair))
    return found


def _less(real: Logits, fake: Logits) -> tuple[Logits, Logits]:
    """Each logit less its counterpart's."""
    if isinstance(real, Tensor) and isinstance(fake, Tensor):
        return real - fake, fake - real
    apart = [r - f for r, f in zip(real, fake, strict=True)]
    return apart, [-scale for scale in apart]


def _source(logits: Logits, calls: Sequence[Call]) -> Call | None:
    """The call that logits came from, through views and the like: autograd's graph knows."""
    ends = {node: call for call in calls for node in _nodes(call.logits)}
    seen, nodes, found = set(), _nodes(logits), []
    while nodes:
        node = nodes.pop()
        if node in ends:
            found.append(ends[node])
        elif node not in seen:
            seen.add(node)
            nodes += [after for after, _ in node.next_functions if after is not None]
    return found[0] if found and all(call is found[0] for call in found) else None


def _nodes(logits: Logits) -> list[Any]:
    if isinstance(logits, Tensor):
        return [logits.grad_fn] if logits.grad_fn is not None else []
    return [node for scale in logits for node in _nodes(scale)]
