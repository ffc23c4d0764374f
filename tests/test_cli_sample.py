"""`ganzoo sample`: what it writes, what it refuses, and that a refusal loses nothing."""

import sys

import pytest
from PIL import Image

import ganzoo
from ganzoo.images import grid, to_pil
from tests.evaluation import untrained
from tests.support import contents


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


def test_a_strangers_words_in_an_error_are_nothing_that_a_terminal_obeys(command, conditional_run, tmp_path):
    model = conditional_run.model("cpu")
    model.config = model.config.model_copy(
        update={"spec": model.spec.model_copy(update={"labels": ("[/bold]", "\x1b[2J", *"23456789")})}
    )
    model.save(tmp_path / "model")
    done = command("sample", f"file:{tmp_path / 'model'}", "--label", "nope", "--out", tmp_path / "out")
    assert done.code == 2
    assert "its 10 labels are [/bold],  [2J, 2" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("sample", "cgan-mnist", "--grid", "--out", "y" * 300 + ".png"),
        ("transform", "srresnet-photos-x4", "y" * 300, "--out", "out"),
        ("export", "cgan-mnist", "--out", "y" * 300 + ".onnx"),
        ("evaluate", "cgan-mnist", "--out", "y" * 300 + ".png"),
        ("train", "y" * 300 + ".toml", "--out", "out"),
    ],
    ids=lambda words: words[0],
)
def test_a_path_that_is_none_is_one_sentence(command, words, monkeypatch):
    done = command(*words)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "File name too long" in done.err or "there is no recipe file" in done.err
    if sys.version_info < (3, 14):  # where a path that is asked whether it exists fails
        assert "can't be used: File name too long; --debug shows where" in done.err
        monkeypatch.setenv("GANZOO_DEBUG", "1")  # as --debug does
        with pytest.raises(OSError, match="too long"):
            command(*words)


def test_a_sheet_that_is_too_large_for_its_format_leaves_nothing(command, conditional_run, tmp_path, monkeypatch):
    monkeypatch.setattr("ganzoo.images.grid", lambda *_: Image.new("L", (8, 20_000)))
    out = tmp_path / "sheet.webp"
    done = command("sample", f"file:{conditional_run.folder}", "--grid", "--count", 5, "--out", out)
    assert done.code == 2
    assert "can't be written: encoding error 5: Image size exceeds WebP limit" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_half_picture(refused, conditional_run, tmp_path, monkeypatch):
    save = Image.Image.save

    def full(image, path, *more, **how):
        save(image, path, *more, **how)
        if len(list(path.parent.iterdir())) == 3:
            path.write_bytes(path.read_bytes()[:20])
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    name = f"file:{conditional_run.folder}"
    refused("sample", name, "--out", tmp_path / "out", words="can't be written: No space left on device")
    assert sorted(contents(tmp_path / "out")) == ["00000.png", "00001.png"]
