"""The folder of a training is never taken from somebody else, nor lost to a mistake."""

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

import ganzoo
from ganzoo.engine.loop import Engine
from ganzoo.errors import GanzooError, RunError
from ganzoo.registry import registry
from ganzoo.resolve import on_folder
from ganzoo.run import Run
from tests.support import contents, python, tiny


@pytest.mark.parametrize("restart", [False, True])
def test_a_folder_of_other_files_is_left_alone(tmp_path, restart):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(RunError, match=r"holds other files \(samples\) and no run; choose another folder"):
        ganzoo.train(tiny("gan-mnist"), out=tmp_path, device="cpu", restart=restart)
    assert contents(tmp_path) == {"samples/holiday.jpg": b"precious"}


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(
    "name", [".lock", ".recipe.json", "metrics.jsonl", "health.json", "report.html", "samples/000000008.png"]
)
def test_nothing_is_written_through_a_link(begun, name, tmp_path):
    """Somebody else's run may hold any link. A folder may stand elsewhere: on a larger disk, say."""
    folder, mine = tmp_path / "run", tmp_path / "mine"
    if begun:
        ganzoo.train(tiny("gan-mnist"), out=folder, device="cpu")
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(mine)
    longer = tiny("gan-mnist", **{"training.images": 16, "training.sample_every": 8})
    for content in (None, b"precious"):
        if content:
            mine.write_bytes(content)
        with pytest.raises(RunError, match=rf"has links in place of files \({name}\), which training would write thr"):
            ganzoo.train(longer, out=folder, device="cpu")
        assert (mine.read_bytes() if mine.exists() else None) == content
    (folder / name).unlink()
    shutil.rmtree(folder / "samples")
    (tmp_path / "elsewhere").mkdir()
    (folder / "samples").symlink_to(tmp_path / "elsewhere")
    ganzoo.train(longer, out=folder, device="cpu")
    assert list((tmp_path / "elsewhere").glob("*.png"))


def test_settings_of_observers_stay_in_the_run(tmp_path):
    recipe = tiny("gan-mnist", observers={"data": {"token": "s3cret"}})
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    assert run.recipe.observers == {"data": {"token": "s3cret"}}  # a run that goes on has them
    run.model(device="cpu").save(tmp_path / "saved")
    shutil.rmtree(run.exports)
    run.model(device="cpu").save(tmp_path / "unfinished")  # of its newest checkpoint
    ganzoo.train(recipe.changed({"training.images": 12}), out=run.folder, device="cpu")
    for folder in (tmp_path / "saved", tmp_path / "unfinished", run.newest_export()):
        assert not [name for name, content in contents(folder).items() if b"s3cret" in content]


@pytest.fixture
def run(tmp_path):
    return ganzoo.train(tiny("gan-mnist"), out=tmp_path / "run", device="cpu")


def test_a_changed_recipe_is_refused_on_resume_naming_what_differs(run):
    before = contents(run.folder)
    changes = {"training.seed": 4, "training.optimizer.lr": 0.5, "training.images": 100}
    rate = run.recipe.training.optimizer.lr
    with pytest.raises(RunError) as caught:
        ganzoo.train(tiny("gan-mnist", **changes), out=run.folder, device="cpu")
    assert "training.seed was 0 and is now 4" in str(caught.value)
    assert f"training.optimizer.lr was {rate} and is now 0.5" in str(caught.value)
    assert "images" not in str(caught.value)
    assert "--restart" in str(caught.value)
    assert contents(run.folder) == before


def test_data_is_compared_by_what_it_holds_and_not_by_the_spelling_of_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place, shade in (("pictures", 40), ("others", 50)):
        Path(place).mkdir()
        for i in range(4):
            Image.new("L", (28, 28), shade * i).save(Path(place) / f"{i}.png")
    recipe = tiny("gan-mnist")

    def go_on(images, folder):
        chosen = on_folder(recipe.changed({"training.images": images}), folder)
        return ganzoo.train(chosen, out=tmp_path / "run", device="cpu")

    go_on(8, "pictures")
    assert go_on(16, tmp_path / "pictures").metrics()[-1]["images"] == 16
    assert go_on(24, "others/../pictures").metrics()[-1]["images"] == 24
    with pytest.raises(RunError, match="the examples of '.*others' aren't those that it began with"):
        go_on(32, "others")


def test_another_recipe_is_refused_and_restart_begins_anew(run):
    before = contents(run.folder)
    with pytest.raises(RunError, match="is a run of gan-mnist, not of cgan-mnist; use another"):
        ganzoo.train(tiny("cgan-mnist"), out=run.folder, device="cpu")
    assert contents(run.folder) == before
    with pytest.raises(GanzooError, match="names no weights"):
        ganzoo.train(tiny("gan-mnist", **{"training.freeze": ["generator.x"]}), out=run.folder, restart=True)
    assert contents(run.folder) == before
    ganzoo.train(tiny("cgan-mnist"), out=run.folder, device="cpu", restart=True)
    assert (run.recipe.name, run.model().name) == ("cgan-mnist", "cgan-mnist")
    assert [row["step"] for row in run.metrics()] == [2]


def test_restart_begins_anew_where_folders_of_the_run_are_links(run, tmp_path):
    """They may stand on a larger disk, beside what isn't the run's."""
    for part in (run.checkpoints, run.exports, run.samples):
        (tmp_path / "disk").mkdir(exist_ok=True)
        part.rename(tmp_path / "disk" / part.name)
        part.symlink_to(tmp_path / "disk" / part.name)
        (part / "notes.txt").write_text("precious")
    ganzoo.train(tiny("cgan-mnist", **{"training.images": 4}), out=run.folder, device="cpu", restart=True)
    assert [row["step"] for row in run.metrics()] == [1]
    assert {path.name for path in run.exports.glob("step-*")} == {"step-00000001"}
    assert {path.name for path in run.checkpoints.glob("step-*")} == {"step-00000000", "step-00000001"}
    assert all((part / "notes.txt").exists() for part in (run.checkpoints, run.exports, run.samples))


def test_a_run_that_cannot_be_deleted_is_not_gone_on_with(run, monkeypatch):
    before = run.recipe

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rmdir", refuse)
    with pytest.raises(RunError, match=r"the run in .*run' can't be deleted: Permission denied"):
        ganzoo.train(tiny("cgan-mnist"), out=run.folder, device="cpu", restart=True)
    assert run.recipe == before


@pytest.mark.parametrize("restart", [False, True])
def test_a_run_that_goes_on_has_no_health_before_its_end(restart, tmp_path, monkeypatch):
    run = ganzoo.train(tiny("gan-mnist"), out=tmp_path, device="cpu")
    assert run.health()
    monkeypatch.setattr(Engine, "_finish", lambda self: None)
    ganzoo.train(tiny("gan-mnist", **{"training.images": 16}), out=tmp_path, device="cpu", restart=restart)
    assert run.health() == {}
    assert "Said at the end of the run" in (run.folder / "report.html").read_text()


def test_torchrun_that_brings_processes_back_does_not_begin_a_run_anew_again(tmp_path, monkeypatch, caplog):
    """It gives them the same command, with --restart."""
    ganzoo.train(tiny("gan-mnist"), out=tmp_path, device="cpu")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    recipe = tiny("gan-mnist", **{"training.images": 16})
    run = ganzoo.train(recipe, out=tmp_path, device="cpu", restart=True)
    assert [row["step"] for row in run.metrics()] == [2, 4]
    assert "torchrun brought the processes back" in caplog.text


def test_the_same_command_on_a_finished_run_changes_nothing_that_matters(run):
    before = contents(run.folder)
    ganzoo.train(tiny("gan-mnist"), out=run.folder, device="cpu")
    after = contents(run.folder)
    assert set(after) == set(before)
    weights = "exports/step-00000002/model.safetensors"
    assert after[weights] == before[weights]
    assert after["metrics.jsonl"] == before["metrics.jsonl"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"recipe": 3, "spec": {}}', '{"recipe": {}, "spec": {}}'])
def test_a_damaged_record_is_one_sentence(run, content):
    (run.folder / "recipe.json").write_text(content)
    with pytest.raises(GanzooError):
        ganzoo.train(tiny("gan-mnist"), out=run.folder, device="cpu")


def test_a_run_knows_its_recipe_spec_and_log(run):
    again = Run(run.folder)
    assert again.recipe.training.images == tiny("gan-mnist").training.images
    assert again.spec.name == "mnist-10k (train)"
    row = json.loads((run.folder / "metrics.jsonl").read_text())
    assert again.metrics() == [row]
    assert {"generator/loss", "discriminator/loss", "step", "images", "seconds"} <= set(row)


def test_a_folder_is_trained_in_by_one_process_at_a_time(run):
    with run.locked(), pytest.raises(RunError, match="another process is training"):
        ganzoo.train(tiny("gan-mnist"), out=run.folder, device="cpu")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_said_and_trained_on(number, tmp_path, monkeypatch, caplog):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    ganzoo.train(tiny("gan-mnist"), out=tmp_path / "run", device="cpu")
    assert f"has no locks ({os.strerror(number)}); start no other training in it" in caplog.text


def test_a_run_without_an_export_has_no_model(tmp_path):
    with pytest.raises(RunError, match="no exported model yet"):
        Run(tmp_path).newest_export()


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(GanzooError, match=r"training.batch_size: 10 is not divisible by accumulate = 4"):
        tiny("gan-mnist", **{"training.batch_size": 10, "training.accumulate": 4})


def test_a_tilde_is_the_home_of_whoever_typed_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("L", (40, 40), 40 * i).save(tmp_path / "pictures" / name / f"{i}.png")
    run = ganzoo.train(on_folder(tiny("cgan-mnist"), "~/pictures"), out="~/run", device="cpu")
    assert run.folder == tmp_path / "run"
    assert run.recipe.data.settings["path"] == str(tmp_path / "pictures")
    assert ganzoo.load("file:~/run", device="cpu").labels == ("a", "b")
    run.model(device="cpu").save(tmp_path / "model")
    assert ganzoo.load("file:~/model", device="cpu").labels == ("a", "b")
    tuned = on_folder(tiny("cgan-mnist"), "~/pictures", {"start_from": "file:~/run"})
    assert ganzoo.train(tuned, out=tmp_path / "tuned", device="cpu").lineage[0]["model"] == "cgan-mnist"
    apart = ganzoo.evaluate("file:~/model", "duplicates", seeds=[0], count=8, reference="~/pictures")
    assert apart["duplicates"]
    for name, settings in (
        ("folder-pairs", {"a": "~/pictures/a", "b": "~/pictures/b", "size": 16}),
        ("photo-folder", {"path": "~/pictures", "patch": 8}),
    ):
        dataset = registry().get("dataset", name)
        assert dataset(dataset.Config.read(settings)).spec.count >= 3
    with pytest.raises(GanzooError, match="there is no folder '~nobody-of-this-name/pictures'"):
        ganzoo.load("file:~nobody-of-this-name/pictures")


def test_a_run_that_is_not_there_has_no_log(tmp_path, conditional_run):
    assert repr(ganzoo.Run("runs/digits")) == "Run('runs/digits')"
    for asked in (ganzoo.Run(tmp_path / "nope").metrics, ganzoo.Run(tmp_path).health):
        with pytest.raises(RunError, match="is no run folder: it has no recipe.json"):
            asked()


def test_only_training_needs_what_windows_lacks(tmp_path):
    for name in "ab":
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("L", (28, 28)).save(tmp_path / "data" / name / "1.png")
    code = f"""
    import os, sys
    import torch  # which takes what there is at its import

    sys.modules["fcntl"] = None
    for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "sysconf"):
        delattr(os, name)
    usual = os.open

    def opened(path, flags, *more, **others):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied")
        return usual(path, flags, *more, **others)

    os.open = opened
    import ganzoo

    model = ganzoo.load("cgan-mnist", device="cpu")
    model.save({str(tmp_path / "saved")!r})
    saved = ganzoo.load({f"file:{tmp_path / 'saved'}"!r}, device="cpu")
    assert saved.sample(1, label=3, seed=0).equal(model.sample(1, label=3, seed=0))
    from ganzoo.registry import registry

    Folder = registry().get("dataset", "image-folder")
    print(Folder(Folder.Config(path={str(tmp_path / "data")!r}, size=28, channels=1)).spec.count)
    try:
        ganzoo.train("gan-mnist", out={str(tmp_path / "run")!r}, device="cpu")
    except ganzoo.errors.RunError as error:
        print(error)
    """
    done = python(code)
    said = "training locks its folder in a way that Windows doesn't have; train under WSL"
    assert done.stdout.splitlines() == ["2", said], done.stderr
    assert not (tmp_path / "run").exists()
