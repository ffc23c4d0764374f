"""`ganzoo.evaluate` takes what a person has: a name, a model in memory or a run, one metric, a folder of pictures."""

import pytest
import torch

import ganzoo
from ganzoo.errors import GanzooError
from ganzoo.evaluation.folders import Folder
from ganzoo.images import to_pil

HOW = {"seeds": [0], "count": 100, "device": "cpu"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    for i, image in enumerate(torch.rand(100, 1, 28, 28, generator=torch.Generator().manual_seed(0))):
        to_pil(image).save(folder / f"{i}.png")
    return folder


def test_a_name_a_path_a_run_and_a_model_give_the_same(conditional_run):
    sources = f"file:{conditional_run.folder}", conditional_run.folder, conditional_run, conditional_run.model("cpu")
    reports = [ganzoo.evaluate(source, "duplicates", **HOW) for source in sources]
    assert [list(report.measurements) for report in reports] == [["duplicates"]] * 4
    assert len({report["duplicates"].value for report in reports}) == 1


def test_a_folder_is_a_reference_and_what_was_learned_from(conditional_run, pictures):
    model = conditional_run.model("cpu")
    for given in (pictures, str(pictures), Folder(pictures)):
        report = ganzoo.evaluate(model, ["copies"], reference=given, training=given, **HOW)
        assert report["copies"].protocol.training == pictures.name
        assert report["copies"].protocol.reference_count in (0, 100)


@pytest.mark.parametrize(
    ("metrics", "more", "words"),
    [
        ("fid", {}, "there is no metric 'fid'"),
        (None, {"reference": "nowhere"}, "there is no folder 'nowhere'"),
        (None, {"reference": torch.zeros(3)}, "reference must be a folder or ganzoo's Pictures, not Tensor"),
        (None, {"training": 3}, "training must be a folder or ganzoo's Pictures, not int"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(conditional_run, metrics, more, words):
    with pytest.raises(GanzooError, match=words):
        ganzoo.evaluate(conditional_run, metrics, **more, **HOW)


def test_no_model_is_one_sentence():
    with pytest.raises(GanzooError, match="is no model's name"):
        ganzoo.evaluate(None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"seeds": 2}, r"seeds must be one whole number or several, such as \[0\] or range\(3\), not 2"),
        ({"seeds": []}, r"seeds must be .*, not \[\]"),
        ({"seeds": [0, "1"]}, "a seed must be a whole number from 0 to .*, not '1'"),
        ({"seeds": [-1]}, "a seed must be a whole number from 0 to .*, not -1"),
        ({"metrics": []}, "metrics names none"),
        ({"count": 0}, "count must be a whole number from 1 to"),
    ],
)
def test_what_is_no_request_is_one_sentence(conditional_run, more, words):
    with pytest.raises(GanzooError, match=words):
        ganzoo.evaluate(conditional_run, **{**HOW, "metrics": "duplicates", **more})
