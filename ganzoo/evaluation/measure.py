"""Measure a model, or any two sets of pictures."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ganzoo.conditions import options_of
from ganzoo.errors import GanzooError, PluginError
from ganzoo.evaluation import parts
from ganzoo.evaluation.evidence import Evidence, Tick, View
from ganzoo.evaluation.pictures import FromDataset, Pictures, Sampled
from ganzoo.features import Features
from ganzoo.metric import Measurement, Metric, Protocol, Result
from ganzoo.model import Model
from ganzoo.registry import listing, registry
from ganzoo.resolve import dataset_of
from ganzoo.text import plain

COUNT = 10_000
STANDARD_REFERENCE = 10_000  # training pictures that the field's standard protocols compare with, at least


@dataclass
class Report:
    """What was measured of a name, and the last evidence, for pictures of it.

    `beside` are reports of what needs no model, by the same protocols: the bar that a model has to clear.
    """

    name: str
    measurements: dict[str, Measurement]
    evidence: Evidence
    notes: list[str] = field(default_factory=list)
    beside: dict[str, "Report"] = field(default_factory=dict)

    def __getitem__(self, metric: str) -> Measurement:
        if metric not in self.measurements:
            raise GanzooError(f"{metric!r} was not measured; there are {', '.join(self.measurements)}")
        return self.measurements[metric]


def evaluate_model(
    model: Model,
    metrics: Sequence[str] | None = None,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    count: int = COUNT,
    features: str | None = None,
    reference: Pictures | None = None,
    training: Pictures | None = None,
    options: Mapping[str, Any] | None = None,
    tick: Tick | None = None,
) -> Report:
    """Measure what a model makes of each seed against the held-out part of its data. Raises GanzooError.

    With a `reference` the model's own data is not opened; `training` then says what it learned from, if that is known.
    A model that transforms is given held-out pictures; it has no seeds. `options` are those of `Model.sample`.
    """
    options = _options(model, options or {})
    if model.task != "generate":
        if reference is not None:
            said = f"model {model.name!r} transforms images; measure its results with --images and --reference"
            raise GanzooError(said)
        from ganzoo.evaluation import transformed, translation

        if model.directions:
            return translation.evaluate(model, metrics, count=count, features=features, tick=tick)
        return transformed.evaluate(model, metrics, count=count, features=features, tick=tick)
    notes: list[str] = []
    if reference is None:
        reference, training, notes = _own_data(model)
    names = model.labels or reference.label_names
    network = parts.network_for(metrics, features, names, model.size, model.channels)
    network = network.to(model.device) if network is not None else None
    views = [View(p, network, True, tick) if p is not None else None for p in (reference, training)]
    chosen = metrics or parts.metrics_for(model.labels, network, reference, training)
    lacking = [name for name in chosen if notes and "training" in parts.metric(name).needs]
    if lacking:
        raise GanzooError(
            f"{notes[0]}, so {', '.join(lacking)} can't be measured; keep some pictures apart for `ganzoo evaluate "
            "--reference APART --training OTHERS`"
        )

    labelled = [p for p in (training, reference) if p and p.labels is not None and p.label_names == model.labels]
    real = labelled[0] if labelled and model.labels else None

    @lru_cache(maxsize=2)
    def sampled(seed: int, like: Pictures | None) -> Evidence:
        return Evidence(
            View(Sampled(model, count, seed, like, options), network, tick=tick), views[0], views[1], network
        )

    def made(seed: int, metric: Metric) -> Evidence:
        """Whole sets are compared with each class as frequent as in the real one, classes by as many of each."""
        return sampled(seed, None if "labels" in metric.needs else real)

    return measure(model.name, chosen, made, seeds, notes, named=bool(metrics))


def _options(model: Model, given: Mapping[str, Any]) -> dict[str, float]:
    for name in given:
        if name not in model.options:
            known = ", ".join(model.options) or "none"
            raise GanzooError(f"model {model.name!r} has no option {name!r} to be measured with; it has {known}")
    return options_of(model, given)


def _own_data(model: Model) -> tuple[Pictures, Pictures | None, list[str]]:
    """The reference and the training pictures of the data that a model's recipe names."""
    recipe = parts.recipe_of(model)
    training, held_out = FromDataset(dataset_of(recipe)), parts.held_out(recipe)
    if held_out is None:
        said = f"{recipe.data.name} holds nothing out: the reference is what the model was trained on"
        return training, None, [said]
    return FromDataset(held_out), training, []


def evaluate_pictures(
    images: Pictures,
    reference: Pictures | None,
    metrics: Sequence[str] | None = None,
    *,
    features: str | None = None,
    training: Pictures | None = None,
    sources: Pictures | None = None,
    tick: Tick | None = None,
) -> Report:
    """Measure pictures against a reference, whoever made them. Raises GanzooError."""
    network = parts.network_for(metrics, features, images.label_names, images.shape[1], images.shape[0])
    views = [View(p, network, True, tick) if p is not None else None for p in (reference, training, sources)]
    evidence = Evidence(View(images, network, tick=tick), views[0], views[1], network, views[2])
    chosen = metrics or parts.metrics_for(images.label_names, network, reference, training)
    return measure(images.name, chosen, lambda *_: evidence, [], [], named=bool(metrics))


def measure(
    name: str,
    metrics: Sequence[str],
    made: Callable[[int, Metric], Evidence],
    seeds: Sequence[int],
    notes: Sequence[str],
    named: bool = True,
) -> Report:
    """Run each metric on the evidence of each seed (once, where there is no seed).

    One that refuses what it finds (a class of too few pictures, say) is left out, with a note, unless it was `named`.
    """
    chosen = {metric: parts.metric(metric) for metric in dict.fromkeys(metrics)}
    results: dict[str, list[Result]] = {metric: [] for metric in chosen}
    given: dict[str, Evidence] = {}
    refused: dict[str, GanzooError] = {}
    for seed in seeds or [0]:
        given = {metric: made(seed, component) for metric, component in chosen.items()}
        for metric, component in chosen.items():
            check(metric, component, given[metric])
        for metric, component in list(chosen.items()):
            try:
                results[metric].append(_result(metric, component, given[metric]))
            except GanzooError as error:
                if named or isinstance(error, PluginError) or len(chosen) == 1:
                    raise
                refused[metric] = error
                del chosen[metric]
    given = {metric: given[metric] for metric in chosen}
    measured = {
        metric: Measurement.of(
            title(component, given[metric]),
            component.higher_is_better,
            results[metric],
            protocol,
        )
        for metric, component in chosen.items()
        for protocol in [_protocol(metric, component, given[metric], results[metric][0], seeds)]
    }
    left_out = [f"{metric} left out: {error}" for metric, error in refused.items()]
    return Report(name, measured, next(reversed(given.values())), [*notes, *left_out])


def _result(name: str, metric: Metric, evidence: Evidence) -> Result:
    about = registry().entry("metric", name.split(",")[0].strip())
    try:
        found: Any = metric.measure(evidence)
    except GanzooError:
        raise
    except Exception as error:  # somebody's code
        said = f"{type(error).__name__}: {plain(error, 300)}"
        raise PluginError(f"metric {name!r} of {about.plugin} can't be measured: it fails with {said}") from error
    if not isinstance(found, Result):
        raise PluginError(f"metric {name!r} of {about.plugin} gives {type(found).__name__}, which is no ganzoo.Result")
    return found


def check(name: str, metric: Metric, evidence: Evidence) -> None:
    """Refuse what can't be measured before anything is computed, with the reason."""
    if "features" in metric.needs and evidence.network is None:
        raise GanzooError(f"metric {name!r} needs a feature network; name one with --features")
    probed = _probed(metric, evidence)
    if "classifier" in metric.needs and not probed and evidence.network is not None and not evidence.network.labels:
        raise GanzooError(f"metric {name!r} needs a feature network that classifies, such as digits-cnn")
    views = [evidence.samples]
    if "reference" in metric.needs:
        views.append(evidence.reference)
    if "training" in metric.needs or (probed and evidence.has_training):
        views.append(evidence.training)
    if "sources" in metric.needs:
        views.append(evidence.sources)
    for view in views:
        if "labels" in metric.needs and view.pictures.labels is None:
            raise GanzooError(f"metric {name!r} needs labels and {view.pictures.name} has none")
        if "pairs" not in metric.needs:
            view.pictures.require_alike()
        if view.count < metric.minimum:
            raise GanzooError(
                f"metric {name!r} needs at least {metric.minimum} pictures and {view.pictures.name} has {view.count}"
            )
    shapes = {view.pictures.shape[1:]: view.pictures.name for view in views} if metric.pixelwise else {}
    if len(shapes) > 1:
        found = " and ".join(f"{who} has {height}x{width}" for (height, width), who in shapes.items())
        raise GanzooError(f"metric {name!r} compares pixels, and {found}; --size N makes a folder's pictures one size")
    names = {view.pictures.label_names: None for view in views} if "labels" in metric.needs else {}
    if len(names) > 1:
        found = " and ".join(f"({listing(labels, 12)})" for labels in names)
        raise GanzooError(f"metric {name!r} needs the same labels everywhere; there are {found}")
    if probed and not evidence.has_training:
        raise GanzooError(
            f"metric {name!r} needs a feature network that knows the classes ({listing(evidence.label_names, 12)}), or "
            "training pictures with these labels, none of them in the reference, that teach a linear probe: "
            "--reference APART --training OTHERS"
        )


def title(metric: Metric, evidence: Evidence) -> str:
    """As people call the number: the feature network belongs to its name, except by the field's standard protocol."""
    network = evidence.network
    if metric.standard and network and metric.standard[1:] == (feature_name(network), evidence.samples.count):
        compares = "reference" in metric.needs
        if not compares or (evidence.against_training and evidence.reference.count >= STANDARD_REFERENCE):
            return metric.standard[0]
    named = f" ({_seen_through(metric, evidence)})" if network is not None and "features" in metric.needs else ""
    return (metric.title or type(metric).__name__) + named


def _probed(metric: Metric, evidence: Evidence) -> bool:
    """Whether the metric tells classes by a linear probe of the training pictures."""
    return {"classifier", "labels"} <= set(metric.needs) and evidence.probed


def _seen_through(metric: Metric, evidence: Evidence) -> str:
    assert evidence.network is not None
    return feature_name(evidence.network) + (", linear probe" if _probed(metric, evidence) else "")


def feature_name(network: Features) -> str:
    """The name under which a feature network is registered, with settings that are not the default."""
    registered = network.name or type(network).__name__
    changed = {
        k: v for k, v in network.config.model_dump().items() if v != type(network.config).model_fields[k].default
    }
    return registered + "".join(f", {k}={v}" for k, v in changed.items())


def _protocol(name: str, metric: Metric, evidence: Evidence, result: Result, seeds: Sequence[int]) -> Protocol:
    network = evidence.network if "features" in metric.needs else None
    samples = evidence.samples
    prepared = network.preparation(*samples.pictures.shape) if network else {}
    for name_of, done in samples.pictures.treatment.items():
        prepared[name_of] = f"{done}, then {prepared[name_of]}" if name_of in prepared else done
    views = [getattr(evidence, need) for need in ("reference", "sources") if need in metric.needs]
    against = views[0].pictures if views else None
    learned = evidence.training.pictures if "training" in metric.needs or _probed(metric, evidence) else None
    return Protocol(
        metric=name,
        settings=metric.config.record(),
        features=_seen_through(metric, evidence) if network else "none",
        features_sha256=network.weights_sha256 if network else "",
        reference=against.name if against else "none",
        reference_sha256=against.sha256 if against else "",
        reference_count=against.count if against else 0,
        training=learned.name if learned else "none",
        training_sha256=learned.sha256 if learned else "",
        count=result.count or samples.count,
        counterparts=result.counterparts,
        seeds=tuple(seeds),
        libraries=libraries(),
        hardware=hardware(samples.network),
        **prepared,
    )


def libraries() -> dict[str, str]:
    """The versions that a number may depend on."""
    found = {"python": platform.python_version()}
    for package in ("torch-ganzoo", "torch", "numpy", "timm", "pillow"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware(network: Features | None) -> str:
    """Where the features were computed."""
    if network is not None and network.device.type == "cuda":
        return torch.cuda.get_device_name(network.device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
