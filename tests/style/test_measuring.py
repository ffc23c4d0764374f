"""The numbers of translation: each rewards what it is called after, beside maps that need no training."""

import pytest
import torch

import ganzoo
from ganzoo import GanzooError
from ganzoo.evaluation import gates, parts, translation
from ganzoo.evaluation.evidence import Evidence, View
from ganzoo.evaluation.measure import evaluate_model
from ganzoo.evaluation.pictures import Held
from ganzoo.folder import ModelConfig
from ganzoo.model import Model
from ganzoo.resolve import resolve
from ganzoo_collections import emoji


def tiles(style, count=40):
    chosen = emoji.items("test", "noto", "twemoji")[:count]
    return torch.from_numpy(emoji.pictures(style, chosen)).permute(0, 3, 1, 2)


def measured(metric, made, *, reference=None, sources=None):
    component = parts.metric(metric)
    network = parts.features("effnet-lite0") if "features" in component.needs else None
    views = [
        View(Held(name, images), network) if images is not None else None
        for name, images in (("r", reference), ("s", sources))
    ]
    return component.measure(Evidence(View(Held("made", made), network), views[0], None, network, views[1]))


def test_the_right_counterpart_is_found_among_all():
    target = tiles("twemoji")
    assert measured("retrieval", target, reference=target).value == 1
    found = measured("retrieval", tiles("noto"), reference=target)
    assert found.details["chance"] < found.value < found.details["among_5"] < 1
    assert measured("retrieval", target.roll(1, 0), reference=target).value == 0


def test_l1_is_the_mean_difference_of_pixels_in_0_to_1():
    a, b = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    b[1] = 0.4
    found = measured("l1", a, reference=b)
    assert found.value == pytest.approx(0.2)
    assert found.details["worst"] == pytest.approx(0.4)


def test_steadiness_tells_a_flickering_clip_from_a_steady_one():
    torch.manual_seed(0)
    scene = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 8), scale_factor=4, mode="bilinear")
    clip = torch.cat([scene[..., i : i + 16] for i in range(8)])
    assert measured("steadiness", 1 - clip, sources=clip).value == pytest.approx(1, abs=0.02)
    flicker = (clip + 0.3 * (torch.arange(8) % 2)[:, None, None, None]).clamp(0, 1)
    assert measured("steadiness", flicker, sources=clip).value > 1.2
    assert measured("steadiness", clip[:1].repeat(8, 1, 1, 1), sources=clip).value == 0
    with pytest.raises(GanzooError, match="nothing moves in the clip"):
        measured("steadiness", clip, sources=clip[:1].repeat(8, 1, 1, 1))


def test_colours_move_to_the_histogram_of_the_targets_and_shapes_stay():
    sources = torch.tensor([0, 0, 100, 200], dtype=torch.uint8).view(1, 1, 2, 2)
    targets = torch.tensor([10, 10, 50, 90], dtype=torch.uint8).view(1, 1, 2, 2)
    assert translation.histogram_matched(sources, targets).flatten().tolist() == [10, 10, 50, 90]


def test_the_nearest_map_gives_the_counterpart_of_a_known_source():
    a, b = tiles("noto", 20), tiles("twemoji", 20)
    network = parts.features("effnet-lite0")
    assert torch.equal(translation.nearest(a[3:7], a, b, network), b[3:7])


def untrained(name):
    parts_ = resolve(ganzoo.recipe(name))
    networks = {n: parts_.architecture.build(n) for n in parts_.architecture.published}
    from ganzoo.engine.export import describe

    return Model(ModelConfig.read(describe(parts_, networks)), networks, parts_.architecture.image_range)


def test_a_translator_is_measured_beside_maps_that_need_no_training():
    model = untrained("cyclegan-noto-twemoji")
    report = evaluate_model(model, ["l1", "content"], features="digits-cnn")
    assert report.beside.keys() == {"untouched", "nearest", "histogram"}
    assert report.beside["untouched"]["content"].value > 0.95  # some emoji are twins to it
    assert report["l1"].details["untouched"] == report.beside["untouched"]["l1"].value
    other = translation.evaluate(model, ["l1"], direction="twemoji-to-noto", features="digits-cnn")
    assert other.beside["untouched"]["l1"].value == pytest.approx(report.beside["untouched"]["l1"].value)
    assert other["l1"].value != report["l1"].value
    with pytest.raises(GanzooError, match="no direction 'back'; its directions are noto-to-twemoji, twemoji-to-noto"):
        translation.evaluate(model, ["l1"], direction="back")


def test_a_gate_judges_each_direction():
    report = evaluate_model(untrained("cyclegan-noto-twemoji"), features="digits-cnn")
    assert {"l1", "retrieval", "content", "copies", "duplicates"} <= report.measurements.keys()
    verdict = gates.judge("translation", report)
    assert [check.what for check in verdict.checks].count("content kept") == 2
