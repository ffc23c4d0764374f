"""The contract of a dataset: what a batch holds depends on the seed and the position alone."""

from typing import Any

import torch

from ganzoo.dataset import Dataset, Spec
from ganzoo.testing.contract import Subject, check, need, needs_settings

PICTURES = "image", "low", "high", "a", "b"  # columns that the spec describes; others, such as masks, are free


def _dataset(subject: Subject) -> Dataset:
    try:
        config: Any = subject.target.Config.read(dict(subject.settings))
    except ValueError as error:
        raise needs_settings(error) from None
    dataset: Dataset = subject.target(config)
    return dataset.to("cpu")


@check("dataset")
def spec(subject: Subject) -> None:
    """It says what it holds and under which licence, and a batch is as the spec says."""
    dataset = _dataset(subject)
    about = dataset.spec
    need(isinstance(about, Spec), subject, "has no ganzoo.Spec as its spec; set self.spec in __init__")
    need(about.licence.strip(), subject, "doesn't say the licence of its data; name it in spec.licence")
    columns = dataset.columns
    for name, values in zip(columns, dataset.read(columns, 0, 0, 3), strict=True):
        need(len(values) == 3, subject, f"gives {len(values)} rows of {name!r} for 3 examples")
        if values.dim() == 4:
            fits = about.channels in (None, values.shape[1]) and about.size in (None, values.shape[2], values.shape[3])
            fits = fits or name not in PICTURES
            need(
                fits,
                subject,
                f"gives {name!r} of shape {tuple(values.shape)}, unlike its spec ({about.channels}, {about.size})",
            )
            inside = values.dtype == torch.float32 and -1 <= values.min() <= values.max() <= 1
            need(
                inside,
                subject,
                f"gives {name!r} as {values.dtype} outside float32 in [-1, 1]; hold uint8, or normalise",
            )
        if name == "label":
            known = values.dtype == torch.int64 and 0 <= values.min() <= values.max() < len(about.labels)
            need(known, subject, "gives labels that aren't int64 indices of spec.labels")


@check("dataset")
def order(subject: Subject) -> None:
    """Example i of a seed is the same whenever and with whatever it is read, without end, and the seed changes it."""
    dataset = _dataset(subject)
    columns, count = dataset.columns, dataset.spec.count
    state = torch.get_rng_state()
    whole = dataset.read(columns, 1, 0, 8)
    parts = [dataset.read(columns, 1, start, start + 2) for start in (6, 0, 4, 2)]
    for i, values in enumerate(whole):
        again = torch.cat([parts[p][i] for p in (1, 3, 2, 0)])
        need(
            torch.equal(values, again), subject, "gives other examples when read in parts; derive order from (seed, i)"
        )
    need(torch.equal(state, torch.get_rng_state()), subject, "draws from torch's own generator; make one from the seed")
    later = _dataset(subject).read(columns, 1, 4, 8)
    same = all(torch.equal(a[4:], b) for a, b in zip(whole, later, strict=True))
    need(same, subject, "gives other examples in a new process; order may depend on the seed and the position alone")
    need(
        len(dataset.read(columns, 1, count - 1, count + 2)[0]) == 3, subject, "ends after a pass; go round without end"
    )
    if count > 8:
        other = dataset.read(columns, 2, 0, 8)
        differs = any(not torch.equal(a, b) for a, b in zip(whole, other, strict=True))
        need(differs, subject, "has the same order for every seed; derive the permutation from the seed")


@check("dataset")
def batches_are_copies(subject: Subject) -> None:
    """Changing a batch in place changes no later one."""
    dataset = _dataset(subject)
    before = [values.clone() for values in dataset.read(dataset.columns, 0, 0, 2)]
    for values in dataset.read(dataset.columns, 0, 0, 2):
        values.zero_()
    after = dataset.read(dataset.columns, 0, 0, 2)
    same = all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    need(same, subject, "gives views of its memory; index or clone it")
