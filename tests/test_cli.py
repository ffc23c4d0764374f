"""The command line: what it prints, what it refuses, and that a refusal loses nothing."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tests.support import contents, distribution, environment, ganzoo_command

TINY = ["architecture.width=8", "architecture.latent_size=4", "training.batch_size=4", "training.images=8"]


def tiny(*more):
    return [part for text in (*TINY, *more) for part in ("--set", text)]


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
        (["cgan-mnist", "--set", "training.images=" + "9" * 5000], "training.images: input should be a valid integer"),
        (
            ["cgan-mnist", "--set", "training.imagse=5"],
            ["training.imagse: there is no such setting; did you mean 'images'? there are: accumulate, batch_size,"],
        ),
        (
            ["cgan-mnist", "--set", "strateggy.name='gan'"],
            "strateggy: there is no such setting; did you mean 'strategy'",
        ),
        (
            ["r3gan-mnist", "--set", "strategy.gama=2"],
            "strategy.gama: there is no such setting; did you mean 'gamma' or 'final_gamma'? ",
        ),
        (["cgan-mnist", "--set", "training.optimizer.rate=2"], "there are: alpha, betas, clip_norm,"),
        (["cgan-mnist", "--set", "training.optimizer.generator={lt = 2}"], "training.optimizer.generator.lt: there is"),
        (
            ["cgan-mnist", "--set", "training.ema.generator.half_lif=2"],
            "did you mean 'half_life'? there are: half_life,",
        ),
        (["cgan-mnist", "--set", "strategy=gan"], "strategy: this is a table, not 'gan'; did you mean strategy.name?"),
        (["cgan-mnist", "--set", "training=5"], "training: "),
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
    refused("train", "gan-mnist", "--out", out, *tiny(), words="is a run of cgan-mnist, not of gan-mnist; use")
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


@pytest.mark.parametrize("where", ["a full disk", "a pipe that nobody reads"])
def test_a_training_outlives_what_reads_its_messages(where, tmp_path):
    read, pipe = os.pipe()
    os.close(read)
    stream = os.open("/dev/full", os.O_WRONLY) if where == "a full disk" else pipe
    words = [sys.executable, "-m", "ganzoo", "train", "gan-mnist", "--out", tmp_path, "--device", "cpu", *tiny()]
    done = subprocess.run(words, env=environment(), stdout=subprocess.PIPE, stderr=stream, text=True)
    assert done.returncode == 0
    assert "model: file:" in done.stdout
    assert (tmp_path / "exports" / "step-00000002").is_dir()


def test_values_are_read_as_people_write_them(command, tmp_path):
    """`1e1` is a whole number; a setting of another kind, and a word in quotes, stay what they are."""
    given = {
        "training.images": ("1e1", 10),
        "training.batch_size": ("+5", 5),
        "training.log_every": ("1.0E+1", 10),
        "training.optimizer.lr": (".001", 0.001),
        "training.optimizer.eps": ("1e-9", 1e-9),
        "training.optimizer.clip_norm": ("2.", 2.0),
        "training.deterministic": ("True", True),
        "training.channels_last": ("False", False),
        "summary": ("'1e3'", "1e3"),
        "architecture.width": ("8", 8),
    }
    settings = [word for name, (value, _) in given.items() for word in ("--set", f"{name}={value}")]
    done = command("train", "cgan-mnist", *settings, "--device", "cpu", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())["recipe"]
    for name, (_, wanted) in given.items():
        *tables, last = name.split(".")
        found = recipe
        for table in tables:
            found = found[table]
        assert (found[last], type(found[last])) == (wanted, type(wanted)), name


@pytest.mark.parametrize("value", ["007", "1e", "e5", "1.2.3", "1e5000", "true-ish", "1e3.5"])
def test_what_is_no_number_is_a_word_or_none(refused, tmp_path, value):
    refused("train", "cgan-mnist", "--set", f"training.images={value}", "--out", tmp_path, words="training.images: ")


def test_the_command_at_the_end_of_a_training_can_be_copied(command, tmp_path):
    out = tmp_path / "my first run"
    done = command("train", "gan-mnist", "--out", out, "--device", "cpu", "--set", "training.images=8")
    asked = re.search(r"\(ganzoo (sample .*)\)", done.out)[1]
    assert shlex.split(asked)[1] == f"file:{out}"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_the_terminal_has_no_letters_for(tmp_path, encoding):
    out = tmp_path / ("é" if encoding == "ascii" else os.fsdecode(b"\xe9"))
    done = ganzoo_command("sample", "cgan-mnist", "--count", 1, "--out", out, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wrote 1 images to ")
    assert (out / "00000.png").is_file()


def test_a_run_is_the_same_whatever_the_locale(tmp_path):
    words = ["--out", tmp_path / "run", "--device", "cpu", *tiny()]
    (tmp_path / "mine.toml").write_text(FILE.replace("[bold]mine[/]", "Größe, 猫"), "utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # as older clusters have it
    for environ in (plain, {}):
        done = ganzoo_command("train", tmp_path / "mine.toml", *words, **environ)
        assert done.returncode == 0, done.stderr
        record = json.loads((tmp_path / "run" / "recipe.json").read_text("utf-8"))
        assert record["recipe"]["summary"] == "Größe, 猫"
        assert "Größe, 猫" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_json_is_read_whatever_the_encoding():
    found = [ganzoo_command("info", "precision", "--json", PYTHONIOENCODING=e).stdout for e in ("utf-8", "ascii")]
    assert "Kynkäänniemi" in found[0]
    assert json.loads(found[0]) == json.loads(found[1])
