"""What `ganzoo.load` returns: images by seed, by label, by latents, and requests that can't be met."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo import Model, Translator
from ganzoo.errors import GanzooError, ModelError, RecipeError
from ganzoo.folder import ModelConfig
from ganzoo.portable import portable
from tests.support import tiny


def test_images_have_the_shape_dtype_and_range_of_the_api(model):
    images = model.sample(3, seed=0)
    assert images.shape == (3, model.channels, model.size, model.size) == (3, 1, 28, 28)
    assert images.dtype == torch.float32
    assert images.device.type == "cpu"
    assert 0 <= images.min() < images.max() <= 1
    assert not images.requires_grad


def test_a_model_says_what_it_is(model, unconditional):
    assert (model.name, model.task, model.conditions) == ("cgan-mnist", "generate", ("label",))
    assert model.labels == tuple("0123456789")
    assert model.spec.licence
    assert (unconditional.conditions, unconditional.labels) == ((), ())
    assert not model.network.training
    assert not any(p.requires_grad for p in model.network.parameters())
    assert next(model.network.parameters()).dtype == torch.float32  # stored as float16


def test_a_model_shows_itself_in_one_line(model, unconditional):
    count = sum(p.numel() for p in model.network.parameters())
    assert repr(model) == f"Model('cgan-mnist', generate, 28x28, 10 labels, {count:,} parameters, cpu)"
    assert repr(unconditional).startswith("Model('gan-mnist', generate, 28x28, ")
    shipped = ganzoo.load("srresnet-photos-x4", device="cpu")
    assert repr(shipped) == "Model('srresnet-photos-x4', transform, x4, 310,704 parameters, cpu)"


@pytest.mark.parametrize("number", [np.int64(3), np.uint8(3), torch.tensor(3)])
def test_whole_numbers_of_other_libraries_are_whole_numbers(model, number):
    assert torch.equal(model.sample(number, seed=number, label=[number] * 3), model.sample(3, seed=3, label=3))


def test_a_generator_that_is_said_to_transform_is_refused(unconditional_run, tmp_path):
    shutil.copytree(unconditional_run.newest_export(), tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"task": "transform"}))
    with pytest.raises(ModelError, match="transforms nothing: its network 'generator' makes samples"):
        ganzoo.load(f"file:{tmp_path / 'model'}", device="cpu")


def test_the_same_seed_gives_the_same_images_bit_for_bit(model):
    assert torch.equal(model.sample(5, seed=3), model.sample(5, seed=3))
    assert not torch.equal(model.sample(5, seed=3), model.sample(5, seed=4))


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**45, 2**53 - 1])
def test_every_seed_that_is_allowed_works(model, seed):
    assert torch.equal(model.sample(2, seed=seed), model.sample(2, seed=seed))


def test_no_seed_gives_other_images_each_time(model):
    assert not torch.equal(model.sample(2), model.sample(2))


@pytest.mark.parametrize("batch_size", [100, 2])
def test_images_can_be_changed_and_trained_on(model, batch_size):
    images = model.sample(4, seed=0, batch_size=batch_size)
    weights = torch.ones(28, requires_grad=True)
    (images * weights).sum().backward()  # which keeps the images
    assert weights.grad.sum() == pytest.approx(float(images.sum()), rel=1e-4)
    assert torch.equal(images.clone().mul_(2), images.mul_(2))


def test_sampling_leaves_torchs_generator_alone(model):
    before = torch.get_rng_state()
    model.sample(2, seed=0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("count", "batch_size"), [(12, 100), (12, 5), (12, 1), (7, 3), (1, 1)])
def test_image_i_depends_on_the_seed_and_i_alone(model, count, batch_size):
    many = model.sample(20, seed=1, label=4, batch_size=20)
    images = model.sample(count, seed=1, label=4, batch_size=batch_size)
    torch.testing.assert_close(images, many[:count], atol=1e-4, rtol=0)


def test_a_label_by_index_name_list_tensor_or_array(model):
    by_name = model.sample(3, seed=0, label="7")
    for label in (7, [7, 7, 7], ["7", 7, "7"], ("7",) * 3, torch.tensor([7, 7, 7]), torch.tensor(7), np.int64(7)):
        assert torch.equal(model.sample(3, seed=0, label=label), by_name)
    assert torch.equal(model.sample(3, seed=0, label=np.array([7, 7, 7])), by_name)
    assert not torch.equal(model.sample(3, seed=0, label="1"), by_name)


def test_a_label_left_out_cycles_through_the_classes(model):
    in_turn = model.sample(12, seed=0, label=[*range(10), 0, 1])
    assert torch.equal(model.sample(12, seed=0), in_turn)
    assert torch.equal(model.sample(12, seed=0, label=None), in_turn)


def test_latents_replace_the_seed(model):
    latents = model.latents(5, 0, 4)
    assert torch.equal(model.sample(4, latents=latents, label=2), model.sample(4, seed=5, label=2))
    assert torch.equal(model.latents(5, 2, 4), latents[2:])


@pytest.mark.parametrize(
    ("count", "request_", "words"),
    [
        (-1, {}, "count must be a whole number from 1 to 10000000, not -1"),
        (0, {}, "count must be"),
        (True, {}, "count must be .* not True"),
        (2.0, {}, "count must be .* not 2.0"),
        ("3", {}, "count must be"),
        (10**8, {}, "count must be"),
        (3, {"batch_size": 0}, "batch_size must be"),
        (3, {"seed": -1}, "seed must be"),
        (3, {"seed": 2**53}, "seed must be"),
        (3, {"seed": True}, "seed must be"),
        (np.True_, {}, f"count must be .* not {np.True_!r}"),
        (np.array([3]), {}, "count must be"),
        (3, {"seed": np.float64(3)}, "seed must be"),
        (3, {"label": 10}, "model 'cgan-mnist' has no label 10; its 10 labels are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (3, {"label": -1}, "has no label -1"),
        (3, {"label": True}, "has no label True"),
        (3, {"label": "ten"}, "has no label 'ten'"),
        (3, {"label": 1.0}, "has no label 1.0"),
        (3, {"label": torch.tensor([1.0, 2.0, 3.0])}, "has no label 1.0"),
        (3, {"label": [1, 2, True]}, "has no label True"),
        (3, {"label": {1: 2}}, "has no label {1: 2}"),
        (3, {"label": [1, 2]}, "2 labels were given for 3 images"),
        (3, {"colour": "red"}, "has no condition 'colour'; it takes label"),
        (3, {"latents": torch.zeros(2, 1)}, r"latents of shape \(2, 1\) were given for 3 images; .* \(3, "),
        (3, {"latents": torch.zeros(3, 99)}, r"latents of shape \(3, 99\)"),
        (1, {"latents": torch.full((1, 1), torch.inf)}, "latents must be finite"),
        (1, {"latents": torch.full((1, 1), torch.nan)}, "latents must be finite"),
        (3, {"latents": torch.zeros(())}, r"latents of shape \(\)"),
        (3, {"latents": [[0.0]]}, "latents must be a tensor of floats, not list"),
        (3, {"device": "tpu9"}, "no device 'tpu9'"),
        (3, {"device": "meta"}, "no device 'meta'"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_sentence(model, count, request_, words):
    with pytest.raises(GanzooError, match=words) as caught:
        model.sample(count, **request_)
    assert "\n" not in str(caught.value)


def test_a_condition_on_an_unconditional_model_is_refused(unconditional):
    with pytest.raises(ModelError, match="model 'gan-mnist' has no condition 'label'; it is unconditional"):
        unconditional.sample(2, label=3)
    assert unconditional.sample(2, seed=0).shape == (2, 1, 28, 28)


def test_a_sheet_has_a_row_for_each_class(model, unconditional):
    width, height = model.sheet(seed=0).size
    assert width > height - 30  # ten columns, ten rows, and the labels at the left
    assert model.sheet(seed=0).tobytes() == model.sheet(seed=0).tobytes()
    assert unconditional.sheet(columns=5, seed=0).size[0] < unconditional.sheet(columns=10, seed=0).size[0]


def test_a_model_moves_to_another_dtype(conditional_run, model):
    wide = conditional_run.model(device="cpu").to(dtype=torch.float64)
    assert next(wide.network.parameters()).dtype == torch.float64
    torch.testing.assert_close(wide.sample(2, seed=0), model.sample(2, seed=0), atol=1e-4, rtol=0)
    folder = conditional_run.newest_export()
    half = ganzoo.load(f"file:{folder}", device="cpu", dtype=torch.bfloat16)
    assert next(half.network.parameters()).dtype == torch.bfloat16
    assert half.sample(2, seed=0).dtype == torch.float32


def test_a_dtype_may_come_first_and_a_bad_device_or_dtype_is_one_sentence(conditional_run, model):
    wide = conditional_run.model(device="cpu").to(torch.float64)
    assert next(wide.network.parameters()).dtype == torch.float64
    for wrong in ("tpu9", torch.int8, 3.5):
        with pytest.raises(ModelError, match="there is no device '(tpu9|3.5)' for|dtype must be one of"):
            model.to(wrong)


def test_a_path_is_a_folder_and_a_folder_s_name_is_answered_with_what_to_write(conditional_run, monkeypatch):
    loaded = ganzoo.load(conditional_run.folder, device="cpu")
    assert torch.equal(loaded.sample(2, seed=0), conditional_run.model("cpu").sample(2, seed=0))
    monkeypatch.chdir(conditional_run.folder.parent)
    with pytest.raises(ModelError, match="'run' is a folder and no model's name; write file:run$"):
        ganzoo.load("run")
    with pytest.raises(ModelError, match="write file:run/exports$"):
        ganzoo.load("run/exports")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cgan-mnits", "there is no model 'cgan-mnits'; did you mean 'cgan-mnist'"),
        ("gan-mnist", "'gan-mnist' is a recipe"),
        ("user/repository", "write file:user/repository for a folder, or hf://user/repository for the Hub"),
        ("https://huggingface.co/ann/digits", "is a page's address; its model is hf://ann/digits$"),
        ("https://hf.co/ann/digits/tree/v1.0", "its model is hf://ann/digits@v1.0$"),
        ("https://hub.example/ann/digits", "is no model's name"),
        ("./somewhere", "is no model's name"),
        ("file:/there/is/nothing", "there is no folder '/there/is/nothing'"),
        ("", "no model"),
    ],
)
def test_a_name_that_leads_nowhere_says_what_to_write(name, words):
    with pytest.raises(GanzooError, match=words):
        ganzoo.load(name)


def test_a_device_that_is_not_there_is_one_sentence(conditional_run):
    with pytest.raises(GanzooError, match=r"no device 'tpu9' for torch .*; use cpu"):
        ganzoo.load(f"file:{conditional_run.folder}", device="tpu9")


def test_the_shipped_model_loads_by_its_name():
    model = ganzoo.load("cgan-mnist", device="cpu")
    images = model.sample(10, seed=0)
    assert images.shape == (10, 1, 28, 28)
    assert images.flatten(1).std(0).mean() > 0.05  # ten digits, not one picture


@pytest.mark.parametrize("name", ["cgan-mnist", "pix2pix-noto-fluent"])
def test_convolutional_models_are_laid_out_as_is_quicker_which_changes_neither_images_nor_files(name, tmp_path):
    model = ganzoo.load(name, device="cpu")
    weights = [w for w in model.network.parameters() if w.dim() == 4 and min(w.shape[1:]) > 1]
    assert weights
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    model.save(tmp_path / name)
    written = (tmp_path / name / "model.safetensors").read_bytes()
    assert written == model.files.read("model.safetensors")
    images = torch.linspace(0, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32)

    def made():
        return model.transform(images) if model.task == "transform" else model.sample(2, seed=0, label=[1, 2])

    before = made()
    model.network.to(memory_format=torch.contiguous_format)
    assert torch.allclose(made(), before, atol=1e-5)


class Painter(Translator):
    """Makes colours of masks: red is the mask, green its negative."""

    channels, context = 1, 0

    def __init__(self):
        super().__init__()
        self.still = torch.nn.Parameter(torch.zeros(()))

    def forward(self, masks):
        return torch.cat([masks, -masks, -torch.ones_like(masks)], 1) + self.still


@pytest.fixture
def painter(conditional_run):
    config = json.loads((conditional_run.newest_export() / "config.json").read_text())
    config |= {"task": "transform", "spec": config["spec"] | {"channels": 3, "size": 4, "labels": []}}
    config["recipe"]["data"]["conditions"] = []
    return Model(ModelConfig.read(config), {"generator": Painter()}, (-1.0, 1.0))


def test_a_translator_of_masks_takes_what_it_says_in_every_form(painter):
    mask = torch.linspace(0, 1, 16).view(1, 1, 4, 4)
    wanted = torch.cat([mask, 1 - mask, torch.zeros_like(mask)], 1)
    torch.testing.assert_close(painter.transform(mask), wanted)
    with pytest.raises(ModelError, match=r"\(1, 3, 4, 4\) were given; model 'cgan-mnist' takes \(N, 1, H, W\)"):
        painter.transform(wanted)
    eight = (mask * 255).round().to(torch.uint8)
    for picture in (
        Image.fromarray(eight[0, 0].numpy()),
        Image.fromarray(eight[0].expand(3, 4, 4).permute(1, 2, 0).numpy()),
    ):
        made = painter.transform(picture)
        assert made.mode == "RGB"
        torch.testing.assert_close(torch.from_numpy(np.array(made))[..., 0], eight[0, 0], atol=1, rtol=0)
    sixteen = Image.fromarray((mask[0, 0] * 65535).numpy().astype(np.uint16))
    torch.testing.assert_close(
        torch.from_numpy(np.array(painter.transform(sixteen)))[..., 0], eight[0, 0], atol=1, rtol=0
    )
    assert painter.transform(eight[0, 0].numpy()).shape == (4, 4, 3)
    assert portable(painter).inputs(2)[0].shape[:2] == (2, 1)
    painter.network.channels = 5
    with pytest.raises(ModelError, match=r"takes \(N, 5, H, W\), which is no picture; give a tensor"):
        painter.transform(sixteen)


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("gan-mnist", "transform", "its network 'generator' makes samples; it must be 'generate'"),
        ("srresnet-photos-x4", "generate", "its network 'generator' makes no samples; it must be 'transform'"),
    ],
)
def test_a_recipe_of_another_task_is_refused_before_training(name, task, words, tmp_path):
    with pytest.raises(RecipeError, match=f"task: '{task}', but its model .*{words}"):
        ganzoo.train(tiny(name).changed({"task": task}), out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "recipe.json").exists()


@pytest.mark.parametrize(
    ("seed", "start", "stop", "words"),
    [
        (0, 0, 0, "stop must be a whole number from 1 to"),
        (0, 5, 3, "stop must be a whole number from 6 to"),
        (None, 0, 2, "seed must be a whole number from 0 to .* not None"),
        (-1, 0, 2, "seed must be a whole number from 0 to .* not -1"),
        (0, -1, 2, "start must be a whole number from 0 to"),
    ],
)
def test_latents_that_there_are_not(model, seed, start, stop, words):
    with pytest.raises(ModelError, match=words):
        model.latents(seed, start, stop)


def test_requests_that_only_look_right(model):
    with pytest.raises(ModelError, match="a sheet has a row for each class; for one, ganzoo.images.grid"):
        model.sheet(label=3)
    with pytest.raises(ModelError, match="columns must be a whole number from 1"):
        model.sheet(0)
    with pytest.raises(ModelError, match=r"latents must be a tensor of floats, not torch\.int64"):
        model.sample(2, latents=torch.zeros(2, 4, dtype=torch.long))
    with pytest.raises(ModelError, match="transforms images, and takes no latents"):
        ganzoo.load("srresnet-photos-x4", device="cpu").latents(0, 0, 1)
