"""Patches: aligned, exact, the same for the same seed and position; degradations; a person's own folder."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo import GanzooError, Spec
from ganzoo.recipes import Recipe
from ganzoo_collections.photo_patches import Photos
from ganzoo_superres.degradations import Chain, bicubic, realistic, worn
from ganzoo_superres.folder import PhotoFolder
from ganzoo_superres.patches import PatchPairs
from tests.support import ganzoo_command


class Two(PatchPairs):
    """Two pictures of unlike sizes."""

    def __init__(self, config):
        super().__init__(config)
        rng = np.random.default_rng(0)
        self.hold([rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((64, 96), (80, 48))])
        self.spec = Spec(name="two", count=len(self.cumulative), channels=3, scale=self.config.scale, licence="CC0-1.0")


def two(**settings):
    return Two(Two.Config(patch=8, **settings))


def to_levels(images):
    return ((images + 1) * 127.5).round().byte()


@pytest.mark.parametrize("augment", [False, True])
def test_patches_are_cut_from_whole_pictures_and_stay_aligned(augment):
    data = two(augment=augment)
    low, high = data.read(("low", "high"), 0, 0, 64)
    assert (low.shape, high.shape) == ((64, 3, 8, 8), (64, 3, 32, 32))
    lows, highs = data.whole("low"), data.whole("high")
    for small, large in zip(to_levels(low), to_levels(high), strict=True):
        assert any(_lies_in(small, large, a, b) for a, b in zip(lows, highs, strict=True))


def _lies_in(small, large, low, high):
    for number in range(8):

        def turn(x, n=number):
            return (x.transpose(1, 2) if n & 4 else x).flip([a for b, a in ((1, 1), (2, 2)) if n & b])

        wanted, wanted_large = turn(small), turn(large)
        windows = low.unfold(1, 8, 1).unfold(2, 8, 1)
        for y, x in (windows == wanted[:, None, None]).all(0).all(-1).all(-1).nonzero().tolist():
            if torch.equal(high[:, 4 * y : 4 * y + 32, 4 * x : 4 * x + 32], wanted_large):
                return True
    return False


def test_every_turn_is_drawn():
    plain, turned = (two(augment=a).read(("high",), 0, 0, 400)[0] for a in (False, True))
    assert 0.05 < (plain == turned).flatten(1).all(1).float().mean() < 0.25  # one of eight stays as it is


def test_the_order_depends_on_seed_and_position_alone():
    data = two()
    whole = data.read(("low",), 3, 4090, 4110)[0]
    parts = torch.cat([data.read(("low",), 3, a, b)[0] for a, b in ((4090, 4097), (4097, 4110))])
    assert torch.equal(whole, parts)
    assert torch.equal(whole, two().read(("low",), 3, 4090, 4110)[0])
    assert not torch.equal(whole, data.read(("low",), 4, 4090, 4110)[0])


def test_emphasis_prefers_detail():
    class Half(PatchPairs):
        def __init__(self, config):
            super().__init__(config)
            picture = np.full((64, 256, 3), 128, np.uint8)
            picture[:, 128:] = np.random.default_rng(0).integers(0, 256, (64, 128, 3))
            self.hold([picture])

    spread = [Half(Half.Config(patch=8, emphasis=e)).read(("high",), 0, 0, 300)[0].std((1, 2, 3)) for e in (0.0, 1.0)]
    plain, busy = ((s > 0.1).float().mean() for s in spread)
    assert busy > plain + 0.2


def test_bicubic_is_pillows():
    picture = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(picture).resize((10, 8), Image.Resampling.BICUBIC))
    assert np.array_equal(bicubic(picture, 4), expected)


def test_the_realistic_chain_wears_a_picture_and_repeats():
    y, x = np.mgrid[:64, :64]
    picture = np.stack([x * 4, y * 4, (x + y) * 2], 2).astype(np.uint8)
    drawn = [realistic(picture, 4, Chain(), n, torch.Generator().manual_seed(1)) for n in (1, 1, 2)]
    assert all(low.shape == (16, 16, 3) and low.dtype == np.uint8 for low in drawn)
    assert np.array_equal(drawn[0], drawn[1])
    off = [np.abs(low.astype(int) - bicubic(picture, 4)).mean() for low in (drawn[0], drawn[2])]
    assert off[0] > 1
    calm = Chain(blur=(0, 0), resize=(1, 1), noise=(0, 0), jpeg=(95, 95))
    still = worn(picture, (16, 16), calm, torch.Generator().manual_seed(1))
    assert np.abs(still.astype(int) - bicubic(picture, 4)).mean() < off[0]


def test_the_test_photographs_are_others():
    train, test = (Photos(Photos.Config(split=split)) for split in ("train", "test"))
    assert (len(train.wholes), len(test.wholes)) == (13, 8)
    pictures = [high.tobytes() for data in (train, test) for _, high in data.wholes]
    assert len(set(pictures)) == 21
    assert "CC-BY-SA-4.0" in train.spec.licence
    assert "by " in train.spec.attribution


def test_a_folder_of_ones_own(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(9):
        Image.fromarray(rng.integers(0, 256, (70, 75, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.jpg").write_bytes(b"no")
    config = {"path": str(tmp_path), "patch": 8, "scale": 2}
    train, test = (PhotoFolder(PhotoFolder.Config(split=split, **config)) for split in ("train", "test"))
    assert (len(train.wholes), len(test.wholes)) == (8, 1) or len(train.wholes) + len(test.wholes) == 9
    low, high = train.read(("low", "high"), 0, 0, 4)
    assert (low.shape, high.shape) == ((4, 3, 8, 8), (4, 3, 16, 16))
    with pytest.raises(GanzooError, match="no picture has 256 pixels a side"):
        PhotoFolder(PhotoFolder.Config(path=str(tmp_path), patch=64))
    with pytest.raises(GanzooError, match="there is no folder"):
        PhotoFolder(PhotoFolder.Config(path=str(tmp_path / "none")))


def test_a_recipe_without_its_collection_says_what_to_install(tmp_path):
    done = ganzoo_command(
        "train", "srresnet-photos-x4", "--out", tmp_path / "run", GANZOO_PLUGINS="vanilla,superres,metrics"
    )
    assert done.returncode == 2
    assert "pip install --upgrade ganzoo-collections" in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_recipe_trains_on_a_folder(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "one.png")
    from ganzoo.resolve import on_folder

    recipe = on_folder(Recipe.load("srresnet-photos-x4"), tmp_path)
    assert recipe.data.name == "photo-folder"
    assert recipe.data.settings["scale"] == 4


def test_pictures_of_16_bits_keep_their_greys(tmp_path):
    Image.fromarray(np.full((64, 64), 32896, np.uint16)).save(tmp_path / "deep.png")
    (whole,) = PhotoFolder(PhotoFolder.Config(path=str(tmp_path), patch=8)).whole("high")
    assert set(np.asarray(whole).flatten().tolist()) == {128}
