"""A run that was stopped, or still trains, can be used: its model is that of the newest complete checkpoint."""

import hashlib
import json
import os
import shutil
import signal

import pytest
import torch

import ganzoo
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.errors import GanzooError, ModelError, RunError, Stopped
from ganzoo.files import to_json
from ganzoo.resolve import built
from ganzoo.run import Run
from tests.support import TOO_LONG, contents, tiny

EMA = {"training.ema": {"generator": {"half_life": 4}}}


def train_and_stop(folder, at):
    def stop(images, total, metrics):
        if images == at:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped):
        ganzoo.train(tiny("cgan-mnist", **EMA, **{"training.images": 400}), out=folder, device="cpu", on_progress=stop)
    return Run(folder)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    return train_and_stop(tmp_path_factory.mktemp("stopped") / "run", at=8)


def test_it_gives_the_averages_of_its_newest_checkpoint_and_stays_as_it_is(stopped, caplog):
    before = contents(stopped.folder)
    with stopped.locked():  # as if it still trained
        model = ganzoo.load(f"file:{stopped.folder}", device="cpu", dtype=torch.float64)
    assert "is at 8 of 400 images; this is the model of its newest checkpoint" in caplog.text
    saved = checkpoints.newest(stopped.checkpoints).tensors("ema/generator")
    assert all(torch.equal(value.double(), saved[name].double()) for name, value in model.network.state_dict().items())
    assert torch.equal(stopped.model("cpu").to(dtype=torch.float64).sample(2, seed=0), model.sample(2, seed=0))
    assert model.labels == tuple("0123456789")
    assert ganzoo.evaluate(f"file:{stopped.folder}", ["duplicates"], seeds=[0], count=20, device="cpu")["duplicates"]
    assert contents(stopped.folder) == before


def test_a_model_folder_of_it_says_how_far_it_was(stopped, tmp_path):
    model = stopped.model("cpu")
    model.save(tmp_path / "half")
    again = ganzoo.load(f"file:{tmp_path / 'half'}", device="cpu")
    assert again.config.trained["images"] == 8
    assert "8 images in 2 steps" in (tmp_path / "half" / "README.md").read_text()
    assert (tmp_path / "half" / "samples.png").is_file()


def test_commands_take_it(stopped, command, tmp_path):
    name = f"file:{stopped.folder}"
    done = command("sample", name, "--count", 2, "--out", tmp_path / "out", "--device", "cpu")
    assert done.code == 0
    assert "is at 8 of 400 images" in " ".join(done.err.split())
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_it_is_published_once_it_is_ended(stopped, tmp_path):
    run = Run(shutil.copytree(stopped.folder, tmp_path / "run"))
    with pytest.raises(RunError, match="no exported model yet; .* a training.images that it has passed exports"):
        ganzoo.publish(run, "user/digits", dry_run=True)
    ganzoo.train(tiny("cgan-mnist", **EMA, **{"training.images": 8}), out=run.folder, device="cpu")
    assert "8 images in 2 steps" in (run.newest_export() / "README.md").read_text()
    assert ganzoo.publish(run, "user/digits", dry_run=True, gate=False, licence="cc-by-sa-4.0").files


def test_one_that_was_ended_trained_on_and_stopped_gives_its_newest_checkpoint_too(tmp_path, caplog):
    run = ganzoo.train(tiny("cgan-mnist", **EMA, **{"training.images": 8}), out=tmp_path, device="cpu")
    assert ganzoo.load(tmp_path, device="cpu").config.trained["images"] == 8
    assert not caplog.text
    train_and_stop(tmp_path, at=16)
    assert [path.name for path in run.exports.iterdir()] == ["step-00000002"]
    for load in (lambda: ganzoo.load(tmp_path, device="cpu"), lambda: run.model("cpu")):
        caplog.clear()
        assert load().config.trained["images"] == 16
        assert "is at 16 of 400 images; this is the model of its newest checkpoint" in caplog.text
    newest = checkpoints.newest(run.checkpoints).path
    (newest / "manifest.json").write_text("{}")
    assert run.model("cpu").config.trained["images"] == 8
    shutil.rmtree(run.checkpoints)
    assert run.model("cpu").config.trained["images"] == 8


@pytest.mark.parametrize("part", ["checkpoints", "checkpoints/step-00000002", "samples"])
def test_a_part_of_a_run_is_no_model(stopped, part):
    with pytest.raises(ModelError, match=f"is a part of a run; name the run itself, file:{stopped.folder}"):
        ganzoo.load(f"file:{stopped.folder / part}")


def test_without_a_complete_checkpoint_there_is_no_model(stopped, tmp_path):
    run = Run(shutil.copytree(stopped.folder, tmp_path / "run"))
    for path in run.checkpoints.iterdir():
        (path / "manifest.json").write_text("{}")
    with pytest.raises(RunError, match="no exported model and no complete checkpoint yet"):
        ganzoo.load(f"file:{run.folder}")


def test_a_checkpoint_that_goes_away_or_does_not_fit_is_one_sentence(stopped, monkeypatch):
    monkeypatch.setattr(checkpoints.Checkpoint, "tensors", lambda self, part: {"other": torch.zeros(1)})
    with pytest.raises(RunError, match=r"step-00000002' can't be read as a model \(Error"):
        stopped.model()


def strangers(stopped, folder, spec=(), architecture=(), **manifest):
    """A run with one checkpoint, whose words and manifest are anybody's; the checksum is right, for it is no secret."""
    step = folder / "checkpoints" / "step-00000001"
    step.mkdir(parents=True)
    record = json.loads((stopped.folder / "recipe.json").read_text())
    record["spec"].update(spec)
    record["recipe"]["architecture"].update(architecture)
    (folder / "recipe.json").write_text(json.dumps(record))
    whole = {"schema": 1, "step": 1, "images": 4, "seconds": 1.0, "files": {}} | manifest
    checksum = hashlib.sha256(to_json(whole).encode()).hexdigest()
    (step / "manifest.json").write_text(to_json(whole | {"checksum": checksum}))
    return f"file:{folder}"


@pytest.mark.parametrize(
    "manifest",
    [
        {"files": {"/dev/zero": {"size": 0, "sha256": ""}}},  # which has no end
        {"files": {"../../recipe.json": {"size": 0, "sha256": ""}}},
        {"files": [1]},
        {"files": {"networks/generator.safetensors": 1}},
        {"step": "x"},
        {"images": None},
    ],
    ids=str,
)
def test_a_strangers_manifest_is_read_with_suspicion(stopped, tmp_path, manifest):
    with pytest.raises(RunError):
        ganzoo.load(strangers(stopped, tmp_path / "run", **manifest), device="cpu")


@pytest.mark.parametrize("how", ["pipe", "link", "large"])
@pytest.mark.parametrize("name", ["manifest.json", "recipe.json"])
def test_a_strangers_records_are_plain_files_of_a_fair_size(stopped, tmp_path, how, name):
    """A pipe would be waited for, and a link or a file without end read."""
    folder = shutil.copytree(stopped.folder, tmp_path / "run")
    for place in list(folder.rglob(name)):
        content = place.read_text()
        place.unlink()
        if how == "pipe":
            os.mkfifo(place)
        elif how == "link":
            (tmp_path / "elsewhere").write_text(content)
            place.symlink_to(tmp_path / "elsewhere")
        else:
            place.write_text(content + " " * 16 * 1024**2)
    with pytest.raises(GanzooError, match="no complete checkpoint|is no run folder|there is no regular file"):
        ganzoo.load(f"file:{folder}", device="cpu")


def test_a_strangers_run_takes_no_memory_before_its_weights_fit(stopped, tmp_path, monkeypatch):
    name = strangers(stopped, tmp_path / "run", architecture={"width": 512})
    real = []
    monkeypatch.setattr(
        "ganzoo.engine.unfinished.built", lambda *given: (real.append(torch.empty(0).is_meta), built(*given))[1]
    )
    with pytest.raises(RunError, match=r"can't be read as a model \(there is no regular file generator.safetensors"):
        ganzoo.load(name, device="cpu")
    assert real == [True]


def test_a_strangers_spec_is_one_sentence(stopped, tmp_path):
    with pytest.raises(RunError, match="recipe.json has mistakes"):
        Run(strangers(stopped, tmp_path / "run", spec={"count": "many"}).removeprefix("file:")).spec  # noqa: B018


def test_a_name_that_is_too_long_for_a_folder_is_one_sentence():
    with pytest.raises(GanzooError, match=TOO_LONG):
        ganzoo.load("file:" + "a" * 300)
