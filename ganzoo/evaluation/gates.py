"""Gates: what a family's model must reach before it is published or shipped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.evaluation import transformed
from ganzoo.evaluation.measure import COUNT, Report, evaluate_model
from ganzoo.metric import Measurement
from ganzoo.model import Model

OWN = ("copies", "duplicates")
KERNEL = "kernel-distance,standardise=false"  # few pictures leave rare features, which standardising would blow up
MEASURED = {  # what each family's gate looks at
    "conditional": ("classifier-accuracy", "label-accuracy", "class-coverage", "frechet-distance", *OWN),
    "unconditional": ("coverage", "frechet-distance", *OWN),
    "super-resolution": ("psnr", "patch-kernel-distance"),
    "translation": ("content", KERNEL),
}


@dataclass(frozen=True)
class Check:
    """One demand on a model: what was measured, its value, and what it must be."""

    what: str
    value: float
    limit: float
    at_least: bool = True

    @property
    def passed(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        return (
            f"{self.what} is {self.value:.4g} and must be {'at least' if self.at_least else 'at most'} {self.limit:g}"
        )


@dataclass(frozen=True)
class Verdict:
    """What a gate found, and what it could not judge by."""

    family: str
    checks: list[Check]
    notes: list[str] = field(default_factory=list)
    bars: list[Check] = field(default_factory=list)  # beyond the gate: what the models that ship with ganzoo reach

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Each demand that was missed."""
        return [str(check) for check in self.checks if not check.passed]


def family(model: Model) -> str:
    """The family whose gate a model has to pass."""
    if model.task == "transform":
        return "super-resolution" if model.scale else "translation"
    return "conditional" if model.labels else "unconditional"


def judge(kind: str, report: Report) -> Verdict:
    """A generator's verdict. Raises GanzooError for families that need more than one report: `judged` makes them."""
    if kind not in ("conditional", "unconditional"):
        raise GanzooError(f"the gate of {kind} models compares several reports; use gates.judged(model)")
    missing = [name for name in MEASURED[kind] if name not in report.measurements]
    if missing:
        raise GanzooError(
            f"the gate of {kind} models needs {', '.join(missing)}, which {report.name} was not measured by"
        )
    return conditional(report) if kind == "conditional" else unconditional(report)


def conditional(report: Report) -> Verdict:
    """Right labels, every class of them, varied within each class; no copies.

    Label accuracy alone is passed by one picture a class, coverage of the set by a model that is blind to its labels.
    """
    accuracy, coverage = report["label-accuracy"], report["class-coverage"]
    checks = [
        Check("the classifier's accuracy on the reference", report["classifier-accuracy"].value, 0.985),
        Check("label accuracy", accuracy.value, 0.985),
        Check(f"label accuracy of class {_worst(accuracy)!r}", min(accuracy.per_class.values()), 0.965),
        Check(f"coverage of class {_worst(coverage)!r}", min(coverage.per_class.values()), 0.6),
    ]
    return Verdict("conditional", checks + _memorisation(report), bars=_like_real(report))


def unconditional(report: Report) -> Verdict:
    """Coverage of the reference, and no copies. A model that collapsed to some modes fails it."""
    checks = [Check("coverage", report["coverage"].value, 0.6)]
    return Verdict("unconditional", checks + _memorisation(report))


def super_resolution(model: Report, bicubic: Report, instrument: Mapping[str, Report] | None = None) -> Verdict:
    """A PSNR above bicubic's by 0.1 dB and, where the instrument is proven, a smaller patch-kernel-distance.

    `instrument` holds reports of the same pictures by a GAN upscaler ("gan"), bicubic ("bicubic") and blur ("blur").
    Only where it ranks them in that order does the perceptual score count; otherwise the verdict says that it doesn't.
    """
    name = "patch-kernel-distance"
    checks = [Check("PSNR less that of bicubic", model["psnr"].minus(bicubic["psnr"]), 0.1)]
    if instrument is None:
        return Verdict("super-resolution", checks, [f"{name} is not proven on a GAN upscaler here: PSNR alone counts"])
    gan, plain, blur = (instrument[key][name] for key in ("gan", "bicubic", "blur"))
    if not (gan.better_than(plain) and plain.better_than(blur)):
        note = f"{name} ranks GAN {gan}, bicubic {plain}, blur {blur}, which no eye would: PSNR alone counts"
        return Verdict("super-resolution", checks, [note])
    less = model[name].minus(bicubic[name])
    return Verdict("super-resolution", [*checks, Check(f"{name} less that of bicubic", less, 0.0, at_least=False)])


def translation(model: Report, untouched: Report) -> Verdict:
    """The content is still recognised, and a tenth of the way from the sources' style to the target's is gone at least.

    So the identity, whose kernel distance to the target is that of the sources, doesn't pass.
    """
    style, before = model["kernel-distance"], untouched["kernel-distance"]
    gained = before.minus(style) / before.value if before.value > 0 else 0.0
    checks = [
        Check("content kept", model["content"].value, 0.5),
        Check("the part of the kernel distance to the target that is gone", gained, 0.1),
    ]
    notes = [] if before.value > 0 else ["the sources are as near to the target as the target itself"]
    return Verdict("translation", checks, notes)


def _like_real(report: Report) -> list[Check]:
    ratio = report["frechet-distance"].details.get("ratio")
    what = "the Fréchet distance over that of training pictures"
    return [] if ratio is None else [Check(what, ratio, 1.2, at_least=False)]


def _memorisation(report: Report) -> list[Check]:
    """Held-out pictures score 0.01 for copies, by definition; five times as many are too many."""
    return [
        Check(f"the fraction of {name}", report[name].value, 0.05, at_least=False)
        for name in OWN
        if name in report.measurements
    ]


def _worst(measurement: Measurement) -> str:
    return min(measurement.per_class, key=lambda name: measurement.per_class[name])


def gate(folder: Path, count: int = COUNT) -> list[str]:
    """Why a model folder must not be published: nothing when it passes. Measures its weights now."""
    return judged(Model.read(folder), count).reasons


def judged(model: Model, count: int = COUNT, features: str | None = None) -> Verdict:
    """The verdict of a model's family, measured now on at most `count` pictures. Raises GanzooError."""
    kind = family(model)
    return FAMILIES[kind](kind, model, count, features)


def verdict_on(model: Model, report: Report) -> Verdict:
    """The verdict by a report that is at hand where one is enough, else by what is measured now."""
    return judge(family(model), report) if model.task == "generate" else judged(model)


def _generated(kind: str, model: Model, count: int, features: str | None) -> Verdict:
    return judge(kind, evaluate_model(model, MEASURED[kind], seeds=(0,), count=count, features=features))


def _enlarged(kind: str, model: Model, count: int, features: str | None) -> Verdict:
    held, scale = transformed.held_out(model, count), model.scale or 1
    metrics = [f"psnr,channel=Y,border={scale}", *transformed.own(held)]
    model_s, bicubic = (
        transformed.evaluate_made(made, held, metrics, features)
        for made in (transformed.transformed(model, held.sources), transformed.enlarged(held.sources, scale))
    )
    verdict = super_resolution(_named(model_s), _named(bicubic))
    return replace(verdict, checks=[*verdict.checks, *_memorisation(model_s)])


def _translated(kind: str, model: Model, count: int, features: str | None) -> Verdict:
    held, verdicts = transformed.held_out(model, count), []
    for network, pictures in zip(model.networks, (held, held.turned()), strict=False):
        metrics = [*MEASURED[kind], *transformed.own(pictures)]
        made = transformed.transformed(model, pictures.sources, network)
        report = transformed.evaluate_made(made, pictures, metrics, features)
        untouched = transformed.evaluate_made(pictures.sources, pictures, [KERNEL], features)
        verdict = translation(_named(report), _named(untouched))
        verdicts.append(replace(verdict, checks=[*verdict.checks, *_memorisation(report)]))
    checks = [check for verdict in verdicts for check in verdict.checks]
    return replace(verdicts[0], checks=checks, notes=[note for verdict in verdicts for note in verdict.notes])


def _named(report: Report) -> Report:
    """Its measurements by the metrics' bare names."""
    return replace(report, measurements={name.split(",")[0]: found for name, found in report.measurements.items()})


Judge = Callable[[str, Model, int, str | None], Verdict]
FAMILIES: dict[str, Judge] = {
    "conditional": _generated,
    "unconditional": _generated,
    "super-resolution": _enlarged,
    "translation": _translated,
}
