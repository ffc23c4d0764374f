"""Each metric against a case that is counted by hand, or against another library."""

import math

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo import GanzooError
from ganzoo.evaluation import parts
from ganzoo.evaluation.evidence import Evidence, View
from ganzoo.evaluation.measure import evaluate_pictures, measure
from ganzoo.evaluation.pictures import FromDataset, Held, Sampled
from ganzoo.registry import registry
from ganzoo.torchvision_operators import with_torchvision
from ganzoo_data.mnist import MNIST10k
from tests.evaluation.stand_ins import model

DIGITS = tuple("0123456789")


@pytest.fixture(scope="module")
def network():
    return parts.features("digits-cnn")


@pytest.fixture(scope="module")
def test_digits():
    data = MNIST10k(MNIST10k.Config(split="test")).data
    return data["image"], data["label"]


def score(name, samples, reference=None, training=None, network=None, sources=None):
    views = [View(p, network) if p is not None else None for p in (samples, reference, training, sources)]
    evidence = Evidence(views[0], views[1], views[2], network, views[3])
    return measure("test", [name], lambda *_: evidence, [], [])[name]


def photo(side=192, left=120):
    data = pytest.importorskip("skimage.data")
    image = data.astronaut()[:side, left : left + side]
    return torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()


def noisy(images, amount=20, seed=0):
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)) * amount
    return (images.float() + noise).clamp(0, 255).round().byte()


def test_every_metric_that_is_listed_can_be_made_and_is_described():
    for name in registry().names("metric"):
        if name != "lpips":  # fetches its backbone
            metric = parts.metric(name)
            assert metric.title
            assert type(metric).__doc__


def test_label_accuracy_counts_the_samples_that_are_what_was_asked_for(network, test_digits):
    images, labels = (part[:400] for part in test_digits)
    right = Held("right", images, labels, DIGITS)
    wrong = Held("wrong", images, (labels + 1) % 10, DIGITS)
    assert score("label-accuracy", right, network=network).value > 0.98
    assert score("label-accuracy", wrong, network=network).value < 0.02
    half = labels.clone()
    half[:200] = (half[:200] + 1) % 10
    mixed = score("label-accuracy", Held("half", images, half, DIGITS), network=network)
    assert mixed.value == pytest.approx(0.5, abs=0.01)
    assert set(mixed.per_class) == set(DIGITS)


def test_the_frechet_distance_is_that_of_torchmetrics_on_the_same_features(network, test_digits):
    images, _ = test_digits
    module = with_torchvision("torchmetrics.image.fid")
    x, y = (network(part).double() for part in (images[:900], images[900:]))
    means, covariances = [p.mean(0) for p in (x, y)], [torch.cov(p.T) for p in (x, y)]
    expected = module._compute_fid(means[0], covariances[0], means[1], covariances[1]).item()
    found = score("frechet-distance", Held("a", images[:900]), Held("b", images[900:]), network=network)
    assert found.value == pytest.approx(expected, rel=1e-5)


def test_the_frechet_distance_within_classes_sees_swapped_labels(network, test_digits):
    images, labels = test_digits
    reference = Held("b", images[1000:], labels[1000:], DIGITS)
    same = score("class-frechet-distance", Held("a", images[:1000], labels[:1000], DIGITS), reference, network=network)
    swapped = Held("a", images[:1000], (labels[:1000] + 1) % 10, DIGITS)
    assert score("class-frechet-distance", swapped, reference, network=network).value > 10 * same.value


def test_the_inception_score_of_n_certain_even_classes_is_n(network):
    view = View(Held("x", torch.zeros(100, 1, 28, 28)), network)
    view.__dict__["logits"] = torch.eye(10).repeat(10, 1) * 100
    evidence = Evidence(view, network=network)
    name = "inception-score,parts=1"
    assert measure("x", [name], lambda *_: evidence, [], [])[name].value == pytest.approx(10)
    view.__dict__["logits"] = torch.zeros(100, 10)  # knows nothing
    assert measure("x", [name], lambda *_: evidence, [], [])[name].value == pytest.approx(1)


def test_a_classifier_learns_from_samples_with_right_labels_alone(test_digits):
    images, labels = test_digits
    reference = Held("held out", images[1500:], labels[1500:], DIGITS)
    train = MNIST10k().data["image"][:3000], MNIST10k().data["label"][:3000]
    good = score("classification-accuracy-score", Held("s", *train, DIGITS), reference)
    shuffled = train[1][torch.randperm(3000, generator=torch.Generator().manual_seed(0))]
    bad = score("classification-accuracy-score", Held("s", train[0], shuffled, DIGITS), reference)
    assert good.value > 0.8 > 0.3 > bad.value


def test_copies_and_duplicates_are_counted(test_digits):
    images, _ = test_digits
    training, reference = Held("training", images[:1000]), Held("held out", images[1000:])
    samples = Held("samples", torch.cat([images[:30], noisy(images[1000:1070], 2)]))  # 30 of 100 are copies
    found = score("copies", samples, reference, training)
    assert found.value == pytest.approx(0.3, abs=0.04)
    assert found.details["nearest_least"] == 0
    repeated = Held("samples", torch.cat([images[:50], images[:10], noisy(images[:10], 1)]))
    assert score("duplicates", repeated).value == pytest.approx(30 / 70)


@pytest.mark.parametrize("channel", ["Y", "RGB"])
def test_psnr_and_ssim_agree_with_scikit_image(channel):
    metrics = pytest.importorskip("skimage.metrics")
    color = pytest.importorskip("skimage.color")
    original = photo()
    restored = noisy(original)
    found = {
        name: score(f"{name},channel={channel},border=4", Held("r", restored), Held("o", original)).value
        for name in ("psnr", "ssim")
    }
    a, b = (image[0].permute(1, 2, 0).double().numpy() / 255 for image in (original, restored))
    if channel == "Y":
        a, b = (color.rgb2ycbcr(x)[:, :, :1] / 255 for x in (a, b))
    a, b = (x[4:-4, 4:-4] for x in (a, b))
    assert found["psnr"] == pytest.approx(metrics.peak_signal_noise_ratio(a, b, data_range=1), abs=1e-6)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = metrics.structural_similarity(a, b, channel_axis=2, data_range=1, **settings)
    assert found["ssim"] == pytest.approx(expected, abs=1e-7)


def test_a_picture_is_its_own_best_restoration():
    original = Held("o", photo())
    assert score("psnr", original, original).value == 100
    assert score("ssim", original, original).value == pytest.approx(1)
    assert score("ms-ssim", original, original).value == pytest.approx(1)
    assert score("ms-ssim", Held("n", noisy(photo())), original).value < 0.99
    with pytest.raises(GanzooError, match="at least 176 pixels"):
        score("ms-ssim", Held("s", photo(64)), Held("s", photo(64)))


def test_ms_ssim_is_near_that_of_torchmetrics_which_counts_mirrored_borders_too():
    module = with_torchvision("torchmetrics.functional.image")
    original = photo(384, 64)
    restored = noisy(original, 10)
    expected = module.multiscale_structural_similarity_index_measure(
        restored.double() / 255, original.double() / 255, data_range=1.0
    )
    found = score("ms-ssim,channel=RGB", Held("r", restored), Held("o", original))
    assert found.value == pytest.approx(expected.item(), abs=5e-3)


def test_a_frechet_distance_to_the_training_pictures_has_no_floor(network, test_digits):
    samples, training = (Held("set", test_digits[0][start : start + 200]) for start in (0, 200))
    found = score("frechet-distance", samples, training, training, network)
    assert found.value > 0
    assert not found.details


def test_psnr_of_a_known_error():
    black, grey = torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.full((1, 1, 8, 8), 51, dtype=torch.uint8)
    assert score("psnr", Held("a", grey), Held("b", black)).value == pytest.approx(-10 * math.log10(0.2**2))


def test_blur_shows_in_the_spectrum_and_not_in_its_own_mirror():
    sharp = photo(128)
    soft = torch.nn.functional.avg_pool2d(sharp.float(), 3, 1, 1).round().byte()
    blurred = score("spectrum-distance", Held("soft", soft), Held("sharp", sharp))
    mirrored = score("spectrum-distance", Held("mirror", sharp.flip(3)), Held("sharp", sharp))
    assert blurred.value > 0.3 > 1e-3 > mirrored.value
    assert blurred.details["highest"] < -0.5  # decades of power missing at the highest frequencies


def test_a_sine_has_its_power_in_its_own_ring():
    labels = pytest.importorskip("ganzoo_metrics.restoration")
    wave = torch.sin(2 * math.pi * torch.arange(64) * 16 / 64)[None, None].expand(1, 64, 64) / 2 + 0.5
    assert labels.radial_spectrum(wave, 32).argmax() == 16  # a quarter of the sampling rate: the middle of 32 rings


def test_patches_of_the_same_pictures_are_near_and_blurred_ones_far(network):
    sharp = photo(448, 32)
    soft = torch.nn.functional.avg_pool2d(sharp.float(), 7, 1, 3).round().byte()
    reference, metric = Held("sharp", sharp), "patch-kernel-distance,patch=28"
    near = score(metric, Held("noisy", noisy(sharp, 2)), reference, network=network)
    far = score(metric, Held("soft", soft), reference, network=network)
    assert far.value > near.value + 2 * near.details["error"]
    assert near.details["patches"] == 16**2
    assert score(metric, reference, reference, network=network).value == pytest.approx(0, abs=1e-9)
    with pytest.raises(GanzooError, match="at least 2 patches of 28 pixels"):
        score(metric, Held("small", photo(20)), reference, network=network)


def test_a_kernel_distance_leaves_counterparts_out_and_its_protocol_says_so(network, test_digits):
    images = test_digits[0]
    ones, twos = Held("ones", images[:300]), Held("twos", images[300:600])
    same = score("kernel-distance", ones, ones, network=network)
    assert same.value == pytest.approx(0, abs=1e-9)
    assert same.protocol.counterparts == "left out"
    fewer = score("kernel-distance", Held("fewer", images[:299]), ones, network=network)  # nothing tells who pairs
    assert fewer.protocol.counterparts == "none"
    assert fewer.value < -2 * fewer.details["error"]
    apart = score("kernel-distance", ones, twos, network=network)
    assert abs(apart.value) < 3 * apart.details["error"]
    old = apart.model_copy(update={"protocol": apart.protocol.model_copy(update={"counterparts": "none"})})
    with pytest.raises(GanzooError, match="counterparts is 'left out' and 'none'"):
        apart.minus(old)


def test_what_is_made_of_noise_has_no_counterpart(network, test_digits):
    made, reference = Sampled(model(), 200, seed=0), Held("reference", test_digits[0][:200])
    assert score("kernel-distance", made, reference, network=network).protocol.counterparts == "none"


def test_content_is_kept_by_a_change_of_tone_and_lost_by_a_shuffle(network, test_digits):
    images = test_digits[0][:100]
    sources = Held("sources", images)
    toned = Held("toned", (images.float() * 0.8).byte())
    assert score("content", toned, network=network, sources=sources).value > 0.9
    assert score("content", Held("shuffled", images.roll(1, 0)), network=network, sources=sources).value < 0.05
    assert score("identity", sources, sources=sources).value == 1
    assert score("identity", toned, sources=sources).value < 1


def test_pictures_that_do_not_pair_are_refused():
    with pytest.raises(GanzooError, match="don't pair"):
        score("psnr", Held("a", torch.zeros(2, 1, 8, 8)), Held("b", torch.zeros(3, 1, 8, 8)))
    with pytest.raises(GanzooError, match=r"picture 0 has the shape \(1, 8, 8\).*\(1, 9, 9\)"):
        score("psnr", Held("a", torch.zeros(2, 1, 8, 8)), Held("b", torch.zeros(2, 1, 9, 9)))


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (["no-such"], "there is no metric 'no-such'"),
        (["coverage,k=0"], "k: .*greater than or equal to 1"),
        (["coverage,k"], "NAME,SETTING=VALUE"),
        (["coverage,k=40"], "needs at least 41 pictures and few has 40"),
        (["copies"], "needs the pictures that the model was trained on; name them with --training"),
        (["label-accuracy"], "needs labels and few has none"),
        (["content"], "--sources"),
    ],
)
def test_what_can_not_be_measured_is_said_before_anything_is_computed(metrics, said, test_digits):
    few = Held("few", test_digits[0][:40])
    with pytest.raises(GanzooError, match=said):
        evaluate_pictures(few, Held("real", test_digits[0][100:400]), metrics, features="digits-cnn")


@pytest.mark.parametrize(
    ("metric", "count", "said"),
    [
        (
            "class-frechet-distance",
            8,
            r"within class '\d' needs 2 pictures each or more; .* and [01] samples; take more of each",
        ),
        (
            "class-frechet-distance",
            10,
            r"within class '\d' needs 2 pictures each or more; .* and [01] samples; take more of each",
        ),
        ("class-coverage", 8, r"coverage of class '\d' needs more than 5 pictures each; there are \d+ in the"),
        ("label-accuracy", 8, r"and 8 pictures leave \d of 10 classes without one, such as '\d'; take more$"),
    ],
)
def test_too_few_samples_for_each_class_are_refused_in_a_sentence(metric, count, said):
    with pytest.raises(GanzooError, match=said):
        ganzoo.evaluate("cgan-mnist", [metric], seeds=[0], count=count, device="cpu")


def test_a_classifier_is_asked_for_where_the_network_is_none(test_digits):
    images, labels = test_digits
    few = Held("few", images[:40], labels[:40], ("zero", *DIGITS[1:]))
    with pytest.raises(GanzooError, match="needs the same labels everywhere"):
        evaluate_pictures(few, Held("real", images, labels, DIGITS), ["classifier-accuracy"], features="digits-cnn")


def test_reference_features_are_cached_by_content(network, monkeypatch, tmp_path):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    seen = []
    for _ in range(2):
        pictures = FromDataset(MNIST10k(MNIST10k.Config(split="test")), most=300)
        view = View(pictures, network, keep=True, tick=lambda *step: seen.append(step))
        features = view.features
    assert len(list((tmp_path / "features").iterdir())) == 1
    assert len(seen) == 2  # two batches, once
    assert torch.equal(features, View(pictures, network).features)
    changed = Held("changed", next(pictures.batches()).bitwise_xor(1))
    assert changed.sha256 != pictures.sha256


def test_measured_values_stand_in_python_numbers(test_digits):
    found = evaluate_pictures(
        Held("a", test_digits[0][:100]), Held("b", test_digits[0][100:200]), features="digits-cnn"
    )
    for measurement in found.measurements.values():
        assert isinstance(measurement.value, float)
        assert np.isfinite(measurement.value)
