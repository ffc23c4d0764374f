"""Labels that no feature network knows: a linear probe of the training pictures names them."""

import pytest
import torch

import ganzoo
from ganzoo import GanzooError
from ganzoo.evaluation import gates
from ganzoo.evaluation.probe import LinearProbe
from ganzoo.images import to_pil
from ganzoo.resolve import on_folder
from ganzoo_data.mnist import MNIST10k
from tests.support import tiny

NAMES = "nought", "one", "two"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run on somebody's own classes, of which enough pictures are there for some to be held out."""
    folder = tmp_path_factory.mktemp("own")
    data = MNIST10k().data
    for label, name in enumerate(NAMES):
        (folder / "pictures" / name).mkdir(parents=True)
        for i, image in enumerate(data["image"][data["label"] == label][:350]):
            to_pil(image / 255).save(folder / "pictures" / name / f"{i}.png")
    return ganzoo.train(on_folder(tiny("cgan-mnist"), folder / "pictures"), out=folder / "run", device="cpu")


def test_a_probe_learns_what_a_line_tells_apart_and_always_the_same():
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    features = torch.randn(300, 20, generator=draw)
    features[:, :3] += 4 * torch.nn.functional.one_hot(labels, 3)
    features = torch.cat([features * 100 + 7, torch.ones(300, 1)], 1)  # a feature that never changes does no harm
    probe, again = (LinearProbe(features[:200], labels[:200], 3) for _ in range(2))
    assert (probe.named(features[200:]) == labels[200:]).float().mean() > 0.95
    assert torch.equal(probe.weight, again.weight)
    noise = LinearProbe(torch.randn(200, 20, generator=draw), labels[:200], 3)
    assert (noise.named(features[200:, :20]) == labels[200:]).float().mean() < 0.6


def test_labels_of_own_classes_are_told_by_a_probe_and_the_protocol_says_so(own):
    found = ganzoo.evaluate(f"file:{own.folder}", seeds=[0], count=120, features="digits-cnn")
    accuracy, instrument = found["label-accuracy"], found["classifier-accuracy"]
    assert instrument.value > 0.95
    assert set(accuracy.per_class) == set(NAMES)
    assert accuracy.value < 0.7  # after two steps
    assert accuracy.title == "Label accuracy (digits-cnn, linear probe)"
    assert instrument.protocol.features == "digits-cnn, linear probe"
    assert instrument.protocol.reference == "image-folder (pictures, test)"
    assert instrument.protocol.training == "image-folder (pictures, train)"
    assert found["class-coverage"].protocol.features == "digits-cnn"
    verdict = gates.judge("conditional", found)
    assert any("label accuracy over the classifier's" in reason for reason in verdict.reasons)
    assert not any(reason.startswith("the classifier's accuracy") for reason in verdict.reasons)
    own_classes = ganzoo.evaluate("cgan-mnist", ["label-accuracy"], seeds=[0], count=10)["label-accuracy"]
    with pytest.raises(GanzooError, match="features is 'digits-cnn, linear probe' and 'digits-cnn'"):
        accuracy.minus(own_classes)


def test_real_pictures_pass_as_samples_of_their_classes(own, command):
    pictures = own.folder.parent / "pictures"
    asked = "evaluate", "--images", pictures, "--reference", pictures, "--training", pictures
    done = command(*asked, "--features", "digits-cnn", "--metrics", "label-accuracy")
    assert done.code == 0
    assert "Label accuracy (digits-cnn, linear probe)" in done.out


def test_training_pictures_of_other_classes_teach_nothing(own, refused, tmp_path):
    pictures = own.folder.parent / "pictures"
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes((pictures / "one" / "0.png").read_bytes())
    asked = "evaluate", "--images", pictures, "--reference", pictures, "--training", tmp_path
    refused(*asked, "--metrics", "label-accuracy", words="the same labels everywhere; there are (nought, one, two) and")
