"""Each gate lets a good model pass and stops the one whose fault it is there for."""

import pytest

from ganzoo import GanzooError, Measurement, Protocol, Result
from ganzoo.evaluation import gates
from ganzoo.evaluation.measure import Report, evaluate_model
from tests.evaluation.stand_ins import model


def judged(family, **faults):
    report = evaluate_model(
        model(labelled=family == "conditional", **faults), gates.MEASURED[family], seeds=(0,), count=2000
    )
    return report, gates.judge(family, report)


def test_new_digits_of_the_class_asked_for_pass():
    report, verdict = judged("conditional")
    assert verdict.reasons == []
    assert report["label-accuracy"].value > 0.99
    assert 0.8 < report["class-coverage"].details["real"] <= 1  # the ideal that the gate holds it against


def test_a_label_blind_model_looks_like_the_data_and_is_stopped():
    sound = evaluate_model(model(), ["frechet-distance", "coverage"], seeds=(0,), count=2000)
    blind = evaluate_model(model(blind=True), ["frechet-distance", "coverage"], seeds=(0,), count=2000)
    assert blind["coverage"].value > 0.85  # the set as a whole is covered ...
    assert blind["frechet-distance"].value < 1.2 * sound["frechet-distance"].value  # ... and as near as the sound one's
    report, verdict = judged("conditional", blind=True)
    assert report["label-accuracy"].value < 0.2
    assert any("label accuracy" in reason for reason in verdict.reasons)
    assert any("least coverage of a class" in str(bar) for bar in verdict.bars if not bar.passed)


@pytest.mark.parametrize("family", ["conditional", "unconditional"])
def test_a_collapsed_model_is_stopped_by_coverage(family):
    report, verdict = judged(family, kinds=3)
    assert any("coverage" in reason for reason in verdict.reasons)
    if family == "conditional":
        assert report["label-accuracy"].value > 0.985  # labels alone would have let it pass


def test_a_model_that_repeats_its_training_pictures_is_stopped():
    report, verdict = judged("unconditional", turned=False)
    assert report["copies"].value == 1
    assert report["copies"].details["closer"] == 1
    assert report["coverage"].value > 0.9  # set-level scores praise it
    assert any("copies" in reason for reason in verdict.reasons)


def test_a_gate_says_which_measurements_it_lacks():
    report = evaluate_model(model(), ["coverage"], seeds=(0,), count=100)
    with pytest.raises(GanzooError, match="needs classifier-accuracy, label-accuracy"):
        gates.judge("conditional", report)


def scored(beside=None, **values):
    lower = {"patch-kernel-distance", "kernel-distance"}
    found = {}
    for name, value in values.items():
        metric = name.replace("_", "-")
        found[metric] = Measurement.of(metric, metric not in lower, [Result(value)], Protocol(metric=metric, count=8))
    return Report("made up", found, None, beside=beside or {})


BICUBIC = scored(psnr=28.4, patch_kernel_distance=0.5)
PROOF = {"gan": scored(patch_kernel_distance=0.2), "bicubic": BICUBIC, "blur": scored(patch_kernel_distance=0.9)}


@pytest.mark.parametrize(
    ("psnr", "texture", "passes"), [(29.3, 0.3, True), (29.3, 0.6, False), (28.0, 0.1, False), (28.4, 0.1, False)]
)
def test_super_resolution_must_beat_bicubic_by_psnr_and_by_a_proven_instrument(psnr, texture, passes):
    report = scored(PROOF, psnr=psnr, patch_kernel_distance=texture)
    assert gates.judge("super-resolution", report).passed is passes


def test_an_instrument_that_ranks_wrongly_does_not_count_and_the_verdict_says_so():
    wrong = PROOF | {"gan": scored(patch_kernel_distance=0.7)}
    for beside in (wrong, {"bicubic": BICUBIC}):
        verdict = gates.judge("super-resolution", scored(beside, psnr=29.3, patch_kernel_distance=0.6))
        assert verdict.passed
        assert "PSNR alone counts" in verdict.notes[0]


def test_a_translation_keeps_content_and_moves_the_style():
    beside = {"untouched": scored(kernel_distance=1.0)}
    assert gates.judge("translation", scored(beside, content=0.8, kernel_distance=0.3)).passed
    assert not gates.judge("translation", scored(beside, content=0.1, kernel_distance=0.3)).passed
    assert not gates.judge("translation", scored(beside, content=1.0, kernel_distance=1.0)).passed


def test_a_gate_says_what_it_compares_with():
    with pytest.raises(GanzooError, match="the gate of translation models compares with untouched, which was not"):
        gates.judge("translation", scored(content=1.0, kernel_distance=0.1))
