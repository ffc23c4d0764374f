"""Data sets that the `datasets` and `webdataset` libraries read: files made here, no network."""

import io
import json

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import ganzoo
from ganzoo.captions import decode, encode
from ganzoo.errors import GanzooError, NothingHeldOut, RecipeError
from ganzoo.images import to_pil
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from ganzoo.run import Run
from tests.engine.many import together
from tests.support import archive, tiny

COUNT, SHARDS = 48, 6


def picture(i):
    """A flat grey picture that says which example it is."""
    content = io.BytesIO()
    Image.new("RGB", (12, 9), (4 * i, 4 * i, 4 * i)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    """Six parquet files of eight examples: picture, class, caption."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0  # it waits 5 s at the end of each pass of a stream
    place = tmp_path_factory.mktemp("parquet")
    kinds = {
        "photo": datasets.Image(),
        "kind": datasets.ClassLabel(names=["even", "odd"]),
        "text": datasets.Value("string"),
        "number": datasets.Value("int64"),
    }
    for shard in range(SHARDS):
        here = range(8 * shard, 8 * shard + 8)
        columns = {
            "photo": [{"bytes": picture(i), "path": None} for i in here],
            "kind": [i % 2 for i in here],
            "text": [f"picture {i} é" for i in here],
            "number": [i % 3 for i in here],
        }
        made = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))
        made.to_parquet(place / f"part-{shard}.parquet")
    return place


@pytest.fixture(scope="module")
def tars(tmp_path_factory):
    pytest.importorskip("webdataset")
    place = tmp_path_factory.mktemp("tars")
    for shard in range(SHARDS):
        members = []
        for i in range(8 * shard, 8 * shard + 8):
            said = json.dumps({"said": f"no {i}"}).encode()
            for suffix, content in {"png": picture(i), "cls": str(i % 2).encode(), "json": said}.items():
                members.append((f"{i:05d}.{suffix}", content))
        archive(place / f"{shard:03d}.tar", members)
    return place


@pytest.mark.parametrize("streaming", [False, True])
def test_a_set_without_a_test_part_holds_nothing_out(parquet, streaming):
    kind = registry().get("dataset", "huggingface")
    files = [str(file) for file in sorted(parquet.iterdir())]
    settings = {"path": "parquet", "files": files, "size": 8, "streaming": streaming, "count": COUNT}
    with pytest.raises(NothingHeldOut, match=r"split.*\['train'\]"):
        kind(kind.Config.read({**settings, "split": "test"}))
    with pytest.raises(GanzooError, match="can't be opened") as refused:
        kind(kind.Config.read({**settings, "split": "valid"}))
    assert not isinstance(refused.value, NothingHeldOut)


def test_the_name_of_data_holds_no_folders_of_this_computer(parquet, monkeypatch):
    kind = registry().get("dataset", "huggingface")
    monkeypatch.chdir(parquet.parent)
    made = kind(kind.Config.read({"path": f"./{parquet.name}", "size": 8}))
    assert made.spec.name == f"{parquet.name} (train)"


def huggingface(place, **settings):
    kind = registry().get("dataset", "huggingface")
    given = {"path": "parquet", "files": sorted(map(str, place.glob("*.parquet"))), "size": 8, "licence": "CC0-1.0"}
    return kind(kind.Config.read(given | settings))


def test_a_card_names_the_data_set_that_the_hub_has(parquet, monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets")
    load, files = datasets.load_dataset, sorted(map(str, parquet.glob("*.parquet")))
    here = {"ann/numbers": "parquet"}  # without a network
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda path, *_, split, **__: load(here.get(path, path), data_files=files, split=split),
    )
    fronts = {}
    for path in ("ann/numbers", "parquet"):
        data = {"name": "huggingface", "path": path, "size": 8, "channels": 1}
        recipe = ganzoo.recipe(tiny("gan-mnist").tables() | {"data": data})
        run = ganzoo.train(recipe, out=tmp_path / path, device="cpu")
        fronts[path] = yaml.safe_load((run.newest_export() / "README.md").read_text().split("---\n")[1])
    assert fronts["ann/numbers"]["datasets"] == ["ann/numbers"]
    assert "huggingface" not in fronts["ann/numbers"]["tags"]
    assert "datasets" not in fronts["parquet"]
    assert "huggingface" in fronts["parquet"]["tags"]


def webdataset(place, **settings):
    kind = registry().get("dataset", "webdataset")
    given = {
        "urls": f"{place}/{{000..005}}.tar",
        "size": 8,
        "count": COUNT,
        "labels": ["even", "odd"],
        "caption": "said",
    }
    return kind(kind.Config.read(given | settings))


@pytest.mark.parametrize(
    "urls", ["pipe:touch {ran}", "{tars}/000.tar::pipe:touch {ran}", "http://x.org/0.tar'; touch '{ran}", "PIPE:{ran}"]
)
def test_addresses_are_no_commands(tars, tmp_path, urls):
    with pytest.raises(GanzooError, match="neither a path nor a plain https, gs or hf address"):
        webdataset(tars, urls=urls.format(ran=tmp_path / "ran", tars=tars))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "urls",
    [
        "{0..999999999}.tar",
        "{000000..999999}.tar::{0..999999999..99}.tar",
        "{a,b{0..9999}{0..9999}}.tar",
        "{a,{b}}" * 40,
        "{a..z}" * 10,
        r"{\},b}" * 40,
        "{{0..9},{0..-9}}" * 9,
    ],
)
def test_braces_that_name_too_many_shards_are_one_sentence(urls):
    pytest.importorskip("webdataset")
    with pytest.raises(GanzooError, match="names more than 2,000,000 shards; are its braces as you meant"):
        webdataset("", urls=urls)


@pytest.mark.parametrize("urls", ["{0..9.tar", "{" * 2000 + "}" * 2000, "${WDS_NOBODY_SETS_THIS}.tar"])
def test_braces_that_cannot_be_read_are_one_sentence(urls):
    pytest.importorskip("webdataset")
    with pytest.raises(GanzooError, match="names no shards: "):
        webdataset("", urls=urls)


def test_braces_within_braces_name_shards(tars):
    assert len(webdataset(tars, urls=f"{tars}/{{00{{0..3..1}},{{004,005}}}}.tar").shards) == SHARDS


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_a_damaged_shard_is_one_sentence(tars, tmp_path, content):
    (tmp_path / "000.tar").write_bytes(content)
    with pytest.raises(GanzooError, match="can't be read"):
        webdataset(tars, urls=str(tmp_path / "000.tar"))


def test_a_shard_whose_end_is_missing_is_one_sentence(tars, tmp_path):
    whole = (tars / "000.tar").read_bytes()  # the library takes what is there for all
    (tmp_path / "000.tar").write_bytes(whole[: len(whole) // 2 + 1])
    with pytest.raises(GanzooError, match=r"000\.tar' can't be read: its end is missing; fetch"):
        webdataset(tars, urls=str(tmp_path / "000.tar"))


def test_pickles_are_no_data(parquet):
    with pytest.raises(GanzooError, match="pickles, which can run code"):
        huggingface(parquet, path="pandas", files=[str(parquet / "x.pkl")])


WAYS = {
    "resident": lambda parquet, tars: huggingface(parquet),
    "mapped": lambda parquet, tars: huggingface(parquet, memory=0),
    "streamed": lambda parquet, tars: huggingface(parquet, streaming=True, count=COUNT, buffer=5),
    "streamed in lanes": lambda parquet, tars: huggingface(
        parquet, streaming=True, count=COUNT, lanes=3, block=4, buffer=5
    ),
    "tar": lambda parquet, tars: webdataset(tars, buffer=5),
    "tar in lanes": lambda parquet, tars: webdataset(tars, lanes=2, block=4, buffer=5),
}


@pytest.fixture(params=WAYS)
def data(request, parquet, tars):
    return WAYS[request.param](parquet, tars)


def which(images):
    return ((images[:, 0, 0, 0] + 1) * 255 / 8).round().int().tolist()


def test_every_column_belongs_to_its_picture(data):
    images, labels, captions = data.read(("image", "label", "caption"), 0, 0, 20)
    assert images.shape == (20, 3, 8, 8)
    assert images.dtype == torch.float32
    assert data.spec.labels == ("even", "odd")
    assert data.spec.caption_length == captions.shape[1] == 128
    assert labels.tolist() == [i % 2 for i in which(images)]
    assert all(text in (f"picture {i} é", f"no {i}") for i, text in zip(which(images), decode(captions), strict=True))


def test_a_pass_has_every_example_once_and_the_next_another_order(data):
    first, second = (which(data.read(("image",), 3, start, start + COUNT)[0]) for start in (0, COUNT))
    assert sorted(first) == sorted(second) == list(range(COUNT))
    assert first != second
    assert first != which(data.read(("image",), 4, 0, COUNT)[0])


def test_order_depends_on_seed_and_position_alone(data):
    whole = which(data.read(("image",), 1, 0, 60)[0])
    pieces = {start: which(data.read(("image",), 1, start, start + 6)[0]) for start in (54, 0, 30, 12, 6)}
    assert all(whole[start : start + 6] == piece for start, piece in pieces.items())


@pytest.mark.parametrize("way", ["streamed in lanes", "tar in lanes"])
def test_a_process_opens_the_shards_of_its_own_lanes_alone(way, parquet, tars, monkeypatch):
    data = WAYS[way](parquet, tars)
    lanes, block = data.config.lanes, data.config.block
    opened, lane = set(), data.lane
    monkeypatch.setattr(data, "lane", lambda number, *rest: opened.add(number) or lane(number, *rest))
    for batch in range(3):  # the second process of `lanes`, whose share is a block
        start = batch * lanes * block + block
        data.read(("image",), 0, start, start + block)
    assert opened == {1}


def test_a_stream_that_goes_on_reads_nothing_twice_and_decodes_what_is_asked_for(tars, monkeypatch):
    data = webdataset(tars, buffer=5)
    read, lane = [], data.lane
    monkeypatch.setattr(data, "lane", lambda *where: (read.append(1) or one for one in lane(*where)))
    for start in range(0, 24, 8):
        data.read(("image",), 0, start, start + 8)
    assert len(read) <= 24 + 6


def test_what_is_missing_is_named_with_the_columns_that_exist(parquet, tars):
    with pytest.raises(GanzooError, match=r"no column 'species' for the label; it has photo \(.*number \(int64\)"):
        huggingface(parquet, label="species")
    plain = huggingface(parquet)
    assert "photo" in plain.without("label")
    assert "data.caption" in plain.without("caption")
    recipe = ganzoo.recipe(
        tiny("cgan-mnist").tables()
        | {"data": {"name": "webdataset", "urls": f"{tars}/000.tar", "size": 28, "channels": 1, "count": 8,
                    "conditions": ["label"]}}
    )  # fmt: skip
    with pytest.raises(
        RecipeError, match=r"has no 'label', which this recipe needs: its examples have cls, json, png, sai"
    ):
        resolve(recipe)


@pytest.mark.parametrize("more", [{}, {"memory": 0}, {"streaming": True, "count": 24}])
def test_classes_named_by_numbers_keep_their_names(tmp_path, more):
    """Folders 0 to 11 come in the order of words: 0, 1, 10, 11, 2."""
    pytest.importorskip("datasets")
    for i in range(12):
        (tmp_path / str(i)).mkdir()
        for twin in "ab":
            (tmp_path / str(i) / f"{twin}.png").write_bytes(picture(i))
    kind = registry().get("dataset", "huggingface")
    data = kind(kind.Config.read({"path": "imagefolder", "folder": str(tmp_path), "size": 8} | more))
    images, labels = data.read(("image", "label"), 0, 0, 24)
    assert [data.spec.labels[label] for label in labels] == [str(i) for i in which(images)]


def test_labels_without_names_are_numbered(parquet):
    data = huggingface(parquet, label="number")
    images, labels = data.read(("image", "label"), 0, 0, COUNT)
    assert data.spec.labels == ("0", "1", "2")
    assert labels.tolist() == [i % 3 for i in which(images)]
    with pytest.raises(GanzooError, match="the labels in 'number' have no names"):
        huggingface(parquet, label="number", streaming=True)


def test_data_that_cannot_be_read_is_one_sentence(tmp_path, tars, parquet):
    with pytest.raises(GanzooError, match="can't be opened"):
        huggingface(tmp_path, files=[str(tmp_path / "nothing.parquet")])
    with pytest.raises(GanzooError, match=r"names 1 shards, which can't be read in 2 lanes"):
        webdataset(tars, urls=f"{tars}/000.tar", lanes=2)
    with pytest.raises(GanzooError, match="shards and can't be read in 99 lanes"):
        huggingface(parquet, streaming=True, count=1, lanes=99)
    with pytest.raises(GanzooError, match="can't be read"):
        webdataset(tmp_path, urls=str(tmp_path / "nothing.tar"))


def test_an_image_folder_by_the_library(tmp_path):
    pytest.importorskip("datasets")
    for i in range(6):
        path = tmp_path / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(i))
    data = huggingface(tmp_path, path="imagefolder", files=[], folder=str(tmp_path), channels=1)
    assert data.resident
    assert data.spec.labels == ("cat", "dog")
    images, labels = data.read(("image", "label"), 0, 0, 6)
    assert labels.tolist() == [1 - i % 2 for i in which(images)]


def test_a_recipe_trains_on_a_stream_and_resumes(tars, tmp_path):
    about = {"name": "webdataset", "urls": f"{tars}/{{000..005}}.tar", "size": 28, "channels": 1, "count": COUNT}
    about |= {"labels": ["even", "odd"], "lanes": 2, "block": 2, "conditions": ["label"]}
    recipe = ganzoo.recipe(tiny("cgan-mnist").tables() | {"data": about, "strategy": {"name": "gan"}})
    recipe = recipe.changed({"training.optimizer.schedule": "constant"})
    longer = recipe.changed({"training.images": 2 * recipe.training.images})
    whole = ganzoo.train(longer, out=tmp_path / "whole", device="cpu")
    ganzoo.train(recipe, out=tmp_path / "parts", device="cpu")
    parts = ganzoo.train(longer, out=tmp_path / "parts", device="cpu")
    images = whole.model("cpu").sample(4, seed=0, label="odd")
    assert torch.equal(images, parts.model("cpu").sample(4, seed=0, label="odd"))


def _on_a_stream(place, out, accumulate):
    about = {"name": "webdataset", "urls": f"{place}/{{000..005}}.tar", "size": 28, "channels": 1, "count": COUNT}
    tables = tiny("gan-mnist", **{"training.accumulate": accumulate}).tables()
    return ganzoo.train(ganzoo.recipe(tables | {"data": about | {"lanes": 2, "block": 2}}), out=out, device="cpu")


def test_processes_share_a_stream(tars, tmp_path):
    together(2, _on_a_stream, tars, tmp_path / "two", 1)
    one = _on_a_stream(tars, tmp_path / "one", 2).model("cpu").sample(4, seed=0)
    torch.testing.assert_close(Run(tmp_path / "two").model("cpu").sample(4, seed=0), one)


def test_a_model_is_told_captions(tars, tmp_path, command):
    about = {"name": "webdataset", "urls": f"{tars}/{{000..005}}.tar", "size": 28, "channels": 1, "count": COUNT}
    about |= {"caption": "said", "caption_length": 12, "conditions": ["caption"]}
    architecture = {"name": "captioned-dcgan", "width": 4, "embedding": 8}
    recipe = ganzoo.recipe(tiny("dcgan-mnist").tables() | {"data": about, "architecture": architecture})
    model = ganzoo.train(recipe, out=tmp_path / "run", device="cpu").model("cpu")
    assert model.conditions == ("caption",)
    one, other, several = (
        model.sample(2, seed=0, caption=caption) for caption in ("no 3", "something else", ["no 3", "something else"])
    )
    assert not torch.equal(one, other)
    torch.testing.assert_close(several, torch.stack([one[0], other[1]]))
    for wrong in (["one"], 5, 0, True, [5, 6]):
        with pytest.raises(GanzooError, match="caption must be a text, or 2 of them"):
            model.sample(2, caption=wrong)
    out = ("--out", tmp_path / "out", "--device", "cpu")
    assert command("sample", f"file:{tmp_path / 'run'}", "--set", "caption=no 3", "--count", 2, *out).code == 0
    assert Image.open(tmp_path / "out" / "00001.png").tobytes() == to_pil(one[1]).tobytes()
    again = ("--set", "caption=5", "--count", 2, "--force", *out)
    assert command("sample", f"file:{tmp_path / 'run'}", *again).code == 0
    made = to_pil(model.sample(2, seed=0, caption="5")[1])
    assert Image.open(tmp_path / "out" / "00001.png").tobytes() == made.tobytes()


def test_captions_survive_encoding():
    texts = ["", "a red cat", "größer", "x" * 40]
    rows = encode(texts, 16)
    assert rows.shape == (4, 16)
    assert rows.dtype == torch.int64
    assert decode(rows) == ["", "a red cat", "größer", "x" * 16]
    assert np.array_equal(rows[0], np.zeros(16))
