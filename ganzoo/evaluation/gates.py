"""Gates: what a family's model must reach before it is published or shipped."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.evaluation.measure import COUNT, Report, evaluate_model
from ganzoo.metric import Measurement
from ganzoo.model import Model

OWN = ("copies", "duplicates")
MEASURED = {  # what each family's gate looks at
    "conditional": ("classifier-accuracy", "label-accuracy", "class-coverage", "frechet-distance", *OWN),
    "unconditional": ("coverage", "frechet-distance", *OWN),
    "super-resolution": ("psnr",),
    "translation": ("content", "kernel-distance"),
}
BESIDE = {"super-resolution": "bicubic", "translation": "untouched"}  # what has to be measured beside the model


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
    """The verdict of a family by what was measured. Raises GanzooError where something that it looks at is missing."""
    missing = [name for name in MEASURED[kind] if score(report, name) is None]
    if missing:
        raise GanzooError(
            f"the gate of {kind} models needs {', '.join(missing)}, which {report.name} was not measured by"
        )
    if kind in BESIDE and BESIDE[kind] not in report.beside:
        raise GanzooError(f"the gate of {kind} models compares with {BESIDE[kind]}, which was not measured")
    return FAMILIES[kind](report)


def score(report: Report, metric: str) -> Measurement | None:
    """What was measured by a metric, whatever its settings."""
    return next((m for name, m in report.measurements.items() if name.split(",")[0] == metric), None)


def _score(report: Report, metric: str) -> Measurement:
    found = score(report, metric)
    return found if found is not None else report[metric]


def conditional(report: Report) -> Verdict:
    """Right labels, every class of them, varied within each class; no copies.

    Label accuracy alone is passed by one picture a class, coverage of the set by a model that is blind to its labels.
    No classifier is right on every real picture (an O may be a zero), so labels are asked for as often as it is.
    Nor do new fonts lie as near to old ones as digits to digits: the coverage is held against that of a model that has
    collapsed to ten real pictures a class.
    """
    accuracy, instrument, coverage = (report[n] for n in ("label-accuracy", "classifier-accuracy", "class-coverage"))
    shares = {name: value / max(instrument.per_class[name], 1e-9) for name, value in accuracy.per_class.items()}
    least, ten = min(coverage.per_class.values()), max(coverage.details.get("ten", 0.3), 1e-9)
    worst, alike = min(shares, key=shares.__getitem__), accuracy.value / max(instrument.value, 1e-9)
    checks = [
        Check("the classifier's accuracy on the reference", instrument.value, 0.9),
        Check("label accuracy over the classifier's on the reference", alike, 0.95),
        Check(f"the same of class {worst!r}", shares[worst], 0.85),
        Check("coverage within the classes over that of ten training pictures each", coverage.value / ten, 1.0),
        Check(f"coverage of class {_worst(coverage)!r} over the same", least / ten, 0.5),
    ]
    bars = [
        Check("label accuracy over the classifier's on the reference", alike, 0.99),
        Check(
            "least coverage of a class over that of training pictures", least / coverage.details.get("real", 1.0), 0.6
        ),
        *_like_real(report),
    ]
    return Verdict("conditional", checks + _memorisation(report), bars=bars)


def unconditional(report: Report) -> Verdict:
    """Coverage of the reference, and no copies. A model that collapsed to some modes fails it."""
    checks = [Check("coverage", report["coverage"].value, 0.6)]
    return Verdict("unconditional", checks + _memorisation(report))


def super_resolution(report: Report) -> Verdict:
    """A PSNR above bicubic's by 0.1 dB and, where the instrument is proven, a smaller patch-kernel-distance.

    The instrument is proven by reports beside the model's: of the same pictures by a GAN upscaler ("gan"), bicubic
    ("bicubic") and blur ("blur"). Only where it ranks them in that order does the perceptual score count; otherwise
    the verdict says that it doesn't.
    """
    name, beside = "patch-kernel-distance", report.beside
    gain = _score(report, "psnr").minus(_score(beside["bicubic"], "psnr"))
    checks, alone = [Check("PSNR less that of bicubic", gain, 0.1)], "PSNR alone counts"
    if not {"gan", "blur"} <= beside.keys() or score(report, name) is None:
        note = f"{name} is not proven on a GAN upscaler here: {alone}"
        return Verdict("super-resolution", checks + _memorisation(report), [note])
    gan, plain, blur = (_score(beside[key], name) for key in ("gan", "bicubic", "blur"))
    if not (gan.better_than(plain) and plain.better_than(blur)):
        note = f"{name} ranks GAN {gan}, bicubic {plain}, blur {blur}, which no eye would: {alone}"
        return Verdict("super-resolution", checks + _memorisation(report), [note])
    less = _score(report, name).minus(plain)
    checks.append(Check(f"{name} less that of bicubic", less, 0.0, at_least=False))
    return Verdict("super-resolution", checks + _memorisation(report))


def translation(report: Report) -> Verdict:
    """The content is still recognised, and a tenth of the way from the sources' style to the target's is gone at least.

    So the identity, whose kernel distance to the target is that of the sources, doesn't pass. A report beside that has
    untouched sources of its own is the other direction, which must pass too.
    """
    style, before = (_score(one, "kernel-distance") for one in (report, report.beside["untouched"]))
    gained = before.minus(style) / before.value if before.value > 0 else 0.0
    checks = [
        Check("content kept", _score(report, "content").value, 0.5),
        Check("the part of the kernel distance to the target that is gone", gained, 0.1),
    ]
    notes = [] if before.value > 0 else ["the sources are as near to the target as the target itself"]
    back = [translation(other) for other in report.beside.values() if "untouched" in other.beside]
    checks += _memorisation(report) + [check for verdict in back for check in verdict.checks]
    return Verdict("translation", checks, notes + [note for verdict in back for note in verdict.notes])


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


Judge = Callable[[Report], Verdict]
FAMILIES: dict[str, Judge] = {  # a family's gate; what it looks at stands in MEASURED and BESIDE
    "conditional": conditional,
    "unconditional": unconditional,
    "super-resolution": super_resolution,
    "translation": translation,
}


def gate(folder: Path, count: int = COUNT) -> list[str]:
    """Why a model folder must not be published: nothing when it passes. Measures its weights now."""
    model = Model.read(folder)
    kind = family(model)
    metrics = MEASURED[kind] if model.task == "generate" else None
    return judge(kind, evaluate_model(model, metrics, seeds=(0,), count=count)).reasons
