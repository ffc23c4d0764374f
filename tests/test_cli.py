"""The command line: what it prints, what it refuses, and that a refusal loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

import ganzoo
from ganzoo.images import grid, to_pil
from tests.evaluation import untrained
from tests.support import distribution, environment, ganzoo_command

TINY = ["architecture.width=8", "architecture.latent_size=4", "training.batch_size=4", "training.images=8"]


@pytest.fixture
def refused(command):
    """Run a command that must end with exit code 2 and one sentence on stderr that has these words."""

    def run(*arguments, words):
        done = command(*arguments)
        assert done.code == 2, (done.out, done.err)
        message = [line for line in done.err.splitlines() if line.startswith("error: ")]
        assert len(message) == 1, done.err
        for word in [words] if isinstance(words, str) else words:
            assert word in done.err
        assert "Traceback" not in done.err
        assert not done.out
        return done

    return run


def tiny(*more):
    return [part for text in (*TINY, *more) for part in ("--set", text)]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# listings


def test_help_teaches(command):
    done = command("--help")
    assert done.code == 0
    assert all(name in done.out for name in ("models", "plugins", "info", "train", "sample"))
    for name in ("train", "sample", "info", "models", "plugins"):
        assert command(name, "--help").code == 0
    assert "--set" in command("train", "--help").out
    assert command("--version").out.startswith("ganzoo ")


def test_models(command):
    done = command("models")
    assert done.code == 0
    assert "cgan-mnist" in done.out
    listed = {item["name"]: item for item in json.loads(command("models", "--json").out)}
    assert listed["cgan-mnist"]["trained"]
    assert listed["cgan-mnist"]["recipe"]
    assert not listed["gan-mnist"]["trained"]
    assert {i["name"] for i in json.loads(command("models", "wgan*", "--json").out)} == {"wgan-gp-mnist"}
    transforming = {i["name"] for i in json.loads(command("models", "--task", "transform", "--json").out)}
    assert {"srresnet-photos-x4", "srgan-photos-x4"} <= transforming < set(listed)
    assert "no model or recipe matches 'x*'" in command("models", "x*").out


def test_plugins(command):
    assert "torch-ganzoo" in command("plugins").out
    (vanilla,) = [p for p in json.loads(command("plugins", "--json").out) if p["name"] == "vanilla"]
    assert (vanilla["distribution"], vanilla["licence"], vanilla["error"]) == ("torch-ganzoo", "Apache-2.0", None)
    assert "wgan-gp" in vanilla["provides"]["strategy"]


def test_info_shows_a_parts_settings_and_the_recipes_that_use_it(command):
    (about,) = json.loads(command("info", "strategy:wgan-gp", "--json").out)
    (steps,) = [s for s in about["settings"] if s["name"] == "critic_steps"]
    assert steps["default"] == 5
    assert "Gulrajani" in about["description"]
    assert about["recipes"] == ["wgan-gp-mnist"]
    assert "critic_steps" in command("info", "wgan-gp").out
    kinds = {part["kind"] for part in json.loads(command("info", "cgan-mnist", "--json").out)}
    assert kinds == {"recipe", "model"}


def test_info_works_for_everything_that_is_registered(command):
    from ganzoo.registry import KINDS, registry

    for kind in KINDS:
        for name in registry().names(kind):
            assert command("info", f"{kind}:{name}").code == 0, f"{kind}:{name}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("strategy:wgan", "there is no strategy 'wgan'; did you mean 'gan' or 'wgan-gp'"),
        ("los:hinge", "there is no kind 'los'; there are: architecture, loss"),
        ("nothing-like-it", "there is nothing called 'nothing-like-it'"),
    ],
)
def test_info_on_an_unknown_name(refused, name, words):
    refused("info", name, words=words)


# train


def test_train_and_train_on(command, tmp_path):
    out = tmp_path / "a [run]"
    done = command("train", "cgan-mnist", "--out", out, "--device", "cpu", "--seed", 3, *tiny())
    assert done.code == 0, done.err
    assert f"file:{out}" in done.out
    assert "generator/loss" in done.out
    assert "8/8" in done.err
    recipe = json.loads((out / "recipe.json").read_text())["recipe"]
    assert (recipe["training"]["seed"], recipe["architecture"]["width"]) == (3, 8)
    done = command("train", "cgan-mnist", "--out", out, "--device", "cpu", "--seed", 3, *tiny("training.images=16"))
    assert done.code == 0, done.err
    assert [json.loads(line)["images"] for line in (out / "metrics.jsonl").read_text().splitlines()] == [8, 16]


FILE = """
name = "mine"
summary = "[bold]mine[/]"
[architecture]
name = "mlp"
width = 8
[loss]
name = "hinge"
[strategy]
name = "gan"
[data]
name = "mnist-10k"
[training]
images = 8
batch_size = 4
"""


def test_train_a_file_of_ones_own(command, tmp_path):
    (tmp_path / "mine.toml").write_text(FILE)
    done = command(
        "train", tmp_path / "mine.toml", "--out", tmp_path / "run", "--device", "cpu", "--set", "loss.name=minimax"
    )
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["recipe"]["loss"]["name"] == "minimax"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cgan-mnits"], "there is no recipe 'cgan-mnits'; did you mean 'cgan-mnist'"),
        (["nowhere.toml"], "there is no recipe file 'nowhere.toml'"),
        (["cgan-mnist", "--set", "loss.name=hing"], ["loss.name: there is no loss 'hing'", "did you mean 'hinge'"]),
        (["cgan-mnist", "--set", "training.images=-5"], "training.images: input should be greater than or equal to 1"),
        (["cgan-mnist", "--set", "training.images=many"], "training.images: input should be a valid integer"),
        (["cgan-mnist", "--set", "training.imagse=5"], "training.imagse: there is no such setting"),
        (["cgan-mnist", "--set", "training.optimizer.lr=nan"], "training.optimizer.lr: input should be a finite"),
        (["cgan-mnist", "--set", "training.seed=2020-01-01"], "is no value for a setting"),
        (["cgan-mnist", "--set", "training.images"], "--set wants a setting and its value"),
        (["cgan-mnist", "--set", "=5"], "--set wants a setting and its value"),
        (["cgan-mnist", "--set", "architecture.size=64"], "architecture.size: 64, but the data 'mnist-10k' has 28"),
        (["dcgan-mnist", "--set", "architecture.size=40"], "architecture.size: "),
        (["cgan-mnist", "--set", "training.batch_size=9", "--set", "training.accumulate=2"], "9 is not divisible by"),
        (["cgan-mnist", "--set", "training.freeze=['generator.x']"], "'generator.x' names no weights"),
        (["cgan-mnist", "--set", "start_from=x-mnist"], "there is no model 'x-mnist'"),
        (["cgan-mnist", "--seed", "-1"], "training.seed: "),
        (["cgan-mnist", "--device", "tpu9"], "there is no device 'tpu9'"),
        (["cgan-mnist", "--data", "/there/is/nothing"], "/there/is/nothing"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused_before_anything_starts(refused, tmp_path, arguments, words):
    refused("train", *arguments, "--out", tmp_path / "run", words=words)
    assert not contents(tmp_path).keys() - {"run/.lock"}


def test_a_recipe_with_five_mistakes_lists_all_five(refused, tmp_path):
    bad = FILE.replace("width = 8", 'width = "wide"').replace('"hinge"', '"hing"').replace("images = 8", "images = 0")
    bad = bad.replace('"mnist-10k"', '"mnist-10k"\nsplit = "all"').replace('"gan"', '"gan"\ncritic_steps = 3')
    (tmp_path / "mine.toml").write_text(bad)
    places = "architecture.width", "loss.name", "strategy.critic_steps", "data.split", "training.images"
    done = refused("train", tmp_path / "mine.toml", "--out", tmp_path / "run", words=[f"{place}: " for place in places])
    assert "has 5 mistakes" in done.err
    assert not (tmp_path / "run").exists()


def test_a_run_folder_with_another_recipe_is_untouched(refused, command, tmp_path):
    out = tmp_path / "run"
    assert command("train", "cgan-mnist", "--out", out, "--device", "cpu", *tiny()).code == 0
    before = contents(out)
    refused("train", "cgan-mnist", "--out", out, *tiny("training.seed=1"), words="training.seed was 0 and is now 1")
    refused("train", "gan-mnist", "--out", out, *tiny(), words="name was 'cgan-mnist' and is now 'gan-mnist'")
    assert contents(out) == before


@pytest.mark.parametrize("restart", [[], ["--restart"]])
def test_a_place_that_cannot_be_a_run_folder(refused, tmp_path, restart):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.md").write_text("mine")
    for out, words in (("file", "can't be written"), ("file/run", "can't be written"), ("full", "holds other files")):
        refused("train", "cgan-mnist", "--out", tmp_path / out, *restart, *tiny(), words=words)
    assert contents(tmp_path) == {"file": b"mine", "full/thesis.md": b"mine"}


def test_a_plugin_that_fails_to_import_is_named_by_the_recipe_that_needs_it(tmp_path):
    source = """
    from ganzoo import hookimpl

    @hookimpl
    def ganzoo_losses():
        return {"broken": "there_is_no_such_module:Loss"}
    """
    distribution(tmp_path, "ganzoo-bad", "ganzoo_bad", ganzoo_bad=source)
    (tmp_path / "mine.toml").write_text(FILE.replace('"hinge"', '"broken"'))
    done = ganzoo_command("train", tmp_path / "mine.toml", "--out", tmp_path / "run", paths=[tmp_path])
    assert done.returncode == 2
    assert "loss.name: loss 'broken' of ganzoo-bad 1.0 could not be imported: ModuleNotFoundError" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_misused_option_is_explained(command):
    for arguments in (
        ["train", "cgan-mnist"],
        ["sample"],
        ["tarin"],
        ["train", "cgan-mnist", "--out", "x", "--sed", "1"],
    ):
        done = command(*arguments)
        assert done.code == 2
        assert "Traceback" not in done.err


def test_debug_shows_the_traceback(tmp_path):
    done = ganzoo_command("--debug", "train", "x-mnist", "--out", tmp_path / "run")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "UnknownNameError" in done.stderr


# sample


def test_sample_single_images(command, conditional_run, tmp_path):
    name = f"file:{conditional_run.folder}"
    done = command("sample", name, "--count", 3, "--seed", 5, "--out", tmp_path / "one")
    assert done.code == 0, done.err
    assert f"wrote 3 images to {tmp_path / 'one'}" in done.out
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["00000.png", "00001.png", "00002.png"]
    assert Image.open(tmp_path / "one" / "00000.png").size == (28, 28)
    command("sample", name, "--count", 3, "--seed", 5, "--out", tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_sample_a_grid(command, conditional_run, unconditional_run, tmp_path):
    for name, more in (
        (conditional_run, []),
        (unconditional_run, []),
        (conditional_run, ["--label", "3", "--count", 5]),
    ):
        out = tmp_path / "new folder" / f"{len(list(tmp_path.rglob('*.png')))}.png"
        assert command("sample", f"file:{name.folder}", "--grid", "--out", out, *more).code == 0
        assert Image.open(out).size[0] > 280
    assert len(contents(tmp_path)) == 3


def test_several_labels_take_turns(command, conditional_run, tmp_path):
    name, model = f"file:{conditional_run.folder}", conditional_run.model("cpu")
    assert command("sample", name, "--label", 2, "--label", 0, "--label", 2, "--out", tmp_path / "one").code == 0
    assert command("sample", name, "--label", 4, "--label", "7", "--count", 5, "--out", tmp_path / "two").code == 0
    for folder, labels in (("one", [2, 0, 2]), ("two", [4, 7, 4, 7, 4])):
        wanted = [to_pil(image).tobytes() for image in model.sample(len(labels), seed=0, label=labels)]
        assert [Image.open(file).tobytes() for file in sorted((tmp_path / folder).iterdir())] == wanted
    assert command("sample", name, "--grid", "--label", 1, "--label", 2, "--out", tmp_path / "rows.png").code == 0
    rows = grid(model.sample(20, seed=0, label=[1] * 10 + [2] * 10), 10)
    assert Image.open(tmp_path / "rows.png").tobytes() == rows.tobytes()


def test_an_option_of_the_generator_is_set(command, refused, tmp_path):
    style = f"file:{untrained.write(tmp_path / 'style', 'stylegan2-mnist')}"
    model = ganzoo.load(style, device="cpu")
    how = ("--set", "truncation=0.3", "--device", "cpu")
    assert command("sample", style, *how, "--count", 1, "--label", 2, "--out", tmp_path / "one").code == 0
    (image,) = model.sample(1, seed=0, label=2, truncation=0.3)
    assert Image.open(tmp_path / "one" / "00000.png").tobytes() == to_pil(image).tobytes()
    assert command("sample", style, *how, "--grid", "--out", tmp_path / "sheet.png").code == 0
    assert Image.open(tmp_path / "sheet.png").tobytes() == model.sheet(truncation=0.3).tobytes()
    other = ("--out", tmp_path / "other")
    refused(
        "sample", style, *other, "--set", "truncation=2", words="truncation must be a number from 0.0 to 1.0, not 2"
    )
    refused(
        "sample", style, *other, "--set", "trunk=1", words="no option 'trunk' to --set; it takes truncation; a class"
    )


def test_pictures_of_an_earlier_command_do_not_stay_beside_new_ones(command, refused, conditional_run, tmp_path):
    name, out = f"file:{conditional_run.folder}", tmp_path / "out"
    assert command("sample", name, "--count", 4, "--out", out).code == 0
    (out / "holiday.png").write_text("mine")
    before = contents(out)
    words = "holds 00002.png and 1 more, which would stay beside the 2 pictures of this command; delete"
    refused("sample", name, "--count", 2, "--out", out, "--force", words=words)
    assert contents(out) == before
    assert command("sample", name, "--count", 5, "--seed", 1, "--out", out, "--force").code == 0
    assert len(contents(out)) == 6
    assert contents(out)["holiday.png"] == b"mine"


def test_a_model_that_transforms_is_answered_with_its_command(refused, tmp_path):
    words = "use `ganzoo transform srresnet-photos-x4 PICTURES --out FOLDER`"
    refused("sample", "srresnet-photos-x4", "--out", tmp_path / "out", words=words)


def test_the_shipped_model_draws_a_labelled_grid(command, tmp_path):
    assert command("sample", "cgan-mnist", "--grid", "--out", tmp_path / "digits.png").code == 0
    assert Image.open(tmp_path / "digits.png").size[0] >= 300


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--label", "10"], "has no label 10; its 10 labels are 0, 1, 2"),
        (["--label", "-1"], "has no label -1"),
        (["--label", "--1"], "has no label '--1'"),
        (["--label", "²"], "has no label '²'"),
        (["--label", "cat"], "has no label 'cat'"),
        (["--count", "-3"], "count must be a whole number from 1 to 10000000, not -3"),
        (["--count", "0"], "count must be"),
        (["--seed", "-1"], "seed must be"),
        (["--device", "tpu9"], "there is no device 'tpu9'"),
        (["--grid"], "must be a picture's name such as samples.png"),
        (["--label", "3", "--label", "ten"], "has no label 'ten'"),
        (["--label", "3", "--label", "4", "--count", "10_000_001"], "count must be a whole number"),
        (
            ["--set", "truncation=0.7"],
            "has no option 'truncation' to --set; it takes none; a class is given by --label",
        ),
        (["--set", "seed=3"], "has no option 'seed' to --set"),
        (["--set", "truncation"], "--set wants a setting and its value such as truncation=0.7, not 'truncation'"),
    ],
)
def test_a_sample_that_cannot_be_made(refused, conditional_run, tmp_path, arguments, words):
    refused("sample", f"file:{conditional_run.folder}", "--out", tmp_path / "out", *arguments, words=words)
    assert not (tmp_path / "out").exists()


def test_samples_of_what_is_no_model(refused, unconditional_run, tmp_path):
    out = ("--out", tmp_path / "out")
    refused("sample", "cgan-mnits", *out, words="there is no model 'cgan-mnits'; did you mean 'cgan-mnist'")
    refused("sample", "gan-mnist", *out, words="'gan-mnist' is a recipe")
    refused("sample", f"file:{tmp_path / 'nothing'}", *out, words="there is no folder")
    refused("sample", str(unconditional_run.folder), *out, words="write file:")
    refused("sample", f"file:{unconditional_run.folder}", *out, "--label", "3", words="it is unconditional")
    refused("sample", "cgan-mnist", "--out", tmp_path / "out.png", words="is one file; name a folder")
    assert not contents(tmp_path)


def test_an_output_that_exists_is_kept_without_force(refused, command, conditional_run, tmp_path):
    name, sheet, folder = f"file:{conditional_run.folder}", tmp_path / "digits.png", tmp_path / "digits"
    sheet.write_text("mine")
    folder.mkdir()
    (folder / "00000.png").write_text("mine")
    refused("sample", name, "--grid", "--out", sheet, words="exists; choose another name, or overwrite it with --force")
    refused("sample", name, "--out", folder, words="exists; choose another name, or overwrite it with --force")
    refused("sample", name, "--grid", "--out", sheet, "--force", "--label", "99", words="has no label 99")
    assert contents(tmp_path) == {"digits.png": b"mine", "digits/00000.png": b"mine"}
    assert command("sample", name, "--grid", "--out", sheet, "--force").code == 0
    assert command("sample", name, "--out", folder, "--count", 1, "--force").code == 0
    assert Image.open(sheet).size[0] > 280
    assert Image.open(folder / "00000.png").size == (28, 28)


def test_a_place_that_cannot_be_written(refused, conditional_run, tmp_path):
    (tmp_path / "file").write_text("mine")
    name = f"file:{conditional_run.folder}"
    refused("sample", name, "--grid", "--out", tmp_path / "file" / "digits.png", words="can't be written")
    refused("sample", name, "--out", tmp_path / "file" / "digits", words="can't be written")
    refused("sample", name, "--out", tmp_path / "file", words="exists")
    refused("sample", name, "--out", tmp_path / "file", "--force", words="can't be written")
    assert contents(tmp_path) == {"file": b"mine"}


# signals


def interrupted(out, number):
    """Start a long training in a process of its own, and send it a signal when it has taken some steps."""
    settings = [*tiny("training.images=100_000_000", "training.log_every=4")]
    done = subprocess.Popen(
        [sys.executable, "-m", "ganzoo", "train", "gan-mnist", "--out", str(out), "--device", "cpu", *settings],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    before = len(rows(out))
    end = time.monotonic() + 60
    while len(rows(out)) < before + 3 and time.monotonic() < end and done.poll() is None:
        time.sleep(0.02)
    os.kill(done.pid, number)
    _, err = done.communicate(timeout=60)
    return done.returncode, err


def rows(out):
    log = out / "metrics.jsonl"
    return [line for line in log.read_text().splitlines() if line.endswith("}")] if log.is_file() else []


def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "run"
    code, err = interrupted(out, signal.SIGINT)
    assert code == 130, err
    assert "after saving a checkpoint; the same command resumes" in err
    assert "Traceback" not in err
    first = sorted((out / "checkpoints").iterdir())[-1].name
    steps = [json.loads(row)["step"] for row in rows(out)]
    code, err = interrupted(out, signal.SIGTERM)
    assert code == 143, err
    assert sorted((out / "checkpoints").iterdir())[-1].name > first
    later = [json.loads(row)["step"] for row in rows(out)]
    assert later[: len(steps)] == steps  # the log goes on where it was
    assert later == sorted(set(later))
    assert len(later) > len(steps)
