"""A card's numbers come from the command that measures them, on the weights that lie beside them."""

import json

import pytest

from ganzoo.evaluation import cards, gates
from ganzoo.evaluation.measure import evaluate_model
from ganzoo.hub.prepare import Measured
from ganzoo.model import Model
from ganzoo.names import model_folder_of
from tests.evaluation import untrained


@pytest.fixture
def measured(tmp_path):
    folder = untrained.write(tmp_path / "model")
    report = evaluate_model(Model.read(folder), gates.MEASURED["conditional"], seeds=(0, 1), count=200)
    cards.record(folder, report, gates.judge("conditional", report))
    return folder


def edit(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def test_a_card_that_was_measured_is_without_fault_but_for_its_gate(measured):
    (only,) = cards.faults(measured)
    assert "failed its gate: label accuracy over the classifier" in only
    config = json.loads((measured / "config.json").read_text())
    numbers = {metric["metric"]: metric for metric in config["metrics"]}
    for metric in config["metrics"]:
        Measured.read(metric)  # publishing understands it
    assert numbers["label-accuracy"]["spread"] is not None
    assert numbers["label-accuracy"]["protocol"]["seeds"] == [0, 1]
    assert Model.read(measured).name == "cgan-mnist"  # loading minds none of it


def test_a_typed_in_number_is_found(measured):
    edit(measured, lambda config: config["metrics"][1].update(value=0.99))
    assert any("was changed since it was measured" in fault for fault in cards.faults(measured))


def test_other_weights_are_found(measured, tmp_path):
    other = untrained.write(tmp_path / "other", seed=1)
    (measured / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    assert any("weights of model changed" in fault for fault in cards.faults(measured))


def test_an_edited_card_is_found(measured):
    (measured / "README.md").write_text("# The best model\n")
    assert any("the card of model isn't what its config gives" in fault for fault in cards.faults(measured))


def test_a_card_without_numbers_is_found(tmp_path):
    assert "carries no measured numbers" in cards.faults(untrained.write(tmp_path / "model"))[0]


def test_the_gate_of_publishing_measures_the_folder_itself(measured):
    edit(measured, lambda config: config["measured"]["gate"].update(passed=True, missed=[]))
    assert any("label accuracy" in reason for reason in gates.gate(measured, count=500))


@pytest.mark.parametrize("name", cards.shipped() or [pytest.param("none", marks=pytest.mark.skip("no model ships"))])
def test_every_shipped_card_was_measured_on_its_weights_and_passes_its_gate(name):
    assert cards.faults(model_folder_of(name)) == []


# pixel by pixel, 36 classes to make, a second translator as slow as the first
SLOW = ("pixelcnn-mnist", "glyphs", "cut-noto-twemoji")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.prove] * (name in SLOW)) for name in cards.shipped()]
)
def test_a_shipped_number_is_measured_again(name):
    """The first seed of one number of each shipped model, so that no card can be sealed by hand."""
    folder = model_folder_of(name)
    config = json.loads((folder / "config.json").read_text())
    known = config["measured"]["details"]
    metric = next(name for name in ("label-accuracy", "psnr,channel=Y,border=4", "coverage", "l1") if name in known)
    model = Model.read(folder, device="cpu")
    found = evaluate_model(model, [metric], seeds=cards.SEEDS[:1])[metric]
    assert found.value == pytest.approx(config["measured"]["details"][metric]["values"][0], abs=5e-4)
