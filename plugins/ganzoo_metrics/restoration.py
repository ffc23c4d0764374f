"""Metrics of restored pictures: against the original, pair by pair, and of their texture as a set."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch.nn.functional import avg_pool2d, conv2d, mse_loss

from ganzoo import GanzooError, Metric, Result, Settings
from ganzoo.evaluation.kernel import kernel_distance, standardised
from ganzoo.torchvision_operators import with_torchvision

LEAST = 1e-10  # mean square error of pictures that are the same, so that their PSNR is 100 dB


def luma(images):
    """Y of BT.601 as video holds it, 16/255 to 235/255, from RGB in [0, 1]: what super-resolution papers measure."""
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=images.dtype, device=images.device) / 255
    return (images * weights[:, None, None]).sum(-3, keepdim=True) + 16 / 255


class Paired(Metric):
    """The base of scores of a picture against its original; the value is the mean over the pictures."""

    class Config(Settings):
        channel: Literal["Y", "RGB"] = Field("Y", description="luma of BT.601, or all channels; grey stays grey")
        border: int = Field(0, ge=0, le=256, description="pixels left out at each side: the scale, by custom")

    needs = ("reference", "pairs")
    higher_is_better = True
    least_side = 1

    @property
    def minimum(self):
        return 1

    def measure(self, evidence):
        values = [self.score(*(self._cut(image) for image in pair)) for pair in evidence.pairs()]
        return Result(math.fsum(values) / len(values), details={"least": min(values), "most": max(values)})

    def _cut(self, image):
        image = luma(image) if self.config.channel == "Y" and image.shape[1] == 3 else image
        border = self.config.border
        image = image[:, :, border : image.shape[2] - border, border : image.shape[3] - border]
        if min(image.shape[2:]) < self.least_side:
            raise GanzooError(
                f"{type(self).__name__} needs pictures of at least {self.least_side + 2 * border} pixels a side"
            )
        return image

    def score(self, image, original):
        """Of one pair, (1, C, H, W) in [0, 1]."""
        raise NotImplementedError


class PSNR(Paired):
    """Peak signal-to-noise ratio in dB: -10 log10 of the mean square error of pixels in [0, 1]."""

    title = "PSNR, dB"

    def score(self, image, original):
        return -10 * math.log10(max(mse_loss(image.double(), original.double()).item(), LEAST))


class SSIM(Paired):
    """Structural similarity (Wang et al., 2004): Gaussian window of 11 pixels, where it lies within the picture.

    Our own, since torchmetrics (1.9) averages over mirrored borders too, which moves the third digit and more.
    """

    title, ideal, least_side = "SSIM", 1.0, 11

    def score(self, image, original):
        luminance, contrast = _ssim_terms(image.double(), original.double())
        return (luminance * contrast).mean().item()


class MSSSIM(SSIM):
    """Structural similarity over five scales (Wang et al., 2003)."""

    title, least_side = "MS-SSIM", 176
    exponents = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

    def score(self, image, original):
        x, y, product = image.double(), original.double(), 1.0
        for i, exponent in enumerate(self.exponents):
            luminance, contrast = _ssim_terms(x, y)
            last = i == len(self.exponents) - 1
            term = (luminance * contrast if last else contrast).mean((2, 3)).clamp(min=0)
            product = product * term**exponent
            x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
        return product.mean().item()


def _ssim_terms(x, y):
    """Luminance, and contrast with structure, at each place of the window, for images in [0, 1]."""
    window = (-((torch.arange(-5, 6).double() / 1.5) ** 2) / 2).exp()
    window = window / window.sum()
    kernel = (window[:, None] * window).expand(x.shape[1], 1, 11, 11)
    mean_x, mean_y, xx, yy, xy = (conv2d(z, kernel, groups=x.shape[1]) for z in (x, y, x * x, y * y, x * y))
    variances, covariance = xx - mean_x**2 + yy - mean_y**2, xy - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance, (2 * covariance + c2) / (variances + c2)


class LPIPS(Paired):
    """Learned perceptual distance (Zhang et al., 2018), AlexNet, by the authors' package.

    Its backbone is fetched by torchvision when online. Not run in this project's checks.
    """

    title, higher_is_better, least_side, ideal = "LPIPS (alex)", False, 64, 0.0
    backbone: Mapping[str, bool] = {}  # how it is built where that isn't the authors' way

    class Config(Settings):
        border: int = Field(0, ge=0, le=256, description="pixels left out at each side")
        channel: Literal["RGB"] = Field("RGB", description="all channels; the network knows no other")

    def __init__(self, config=None):
        super().__init__(config)
        try:
            self.network = with_torchvision("lpips").LPIPS(net="alex", verbose=False, **self.backbone)
        except ImportError:
            raise GanzooError("LPIPS needs the package lpips; pip install torch-ganzoo[lpips]") from None
        except OSError as error:
            raise GanzooError(f"the backbone of LPIPS can't be fetched ({error}); go online once") from None

    def score(self, image, original):
        with torch.no_grad():
            return self.network(image.expand(-1, 3, -1, -1) * 2 - 1, original.expand(-1, 3, -1, -1) * 2 - 1).item()


class PatchKernelDistance(Metric):
    """Kernel distance between patches of the pictures and patches of the reference: texture, whatever the content.

    Patches lie on a grid without overlap; features are standardised by the reference's. Where pictures pair, a patch
    isn't compared with the one at its own place.
    """

    title, higher_is_better, ideal = "Kernel distance of patches", False, 0.0
    needs = ("features", "reference", "pairs")

    class Config(Settings):
        patch: int = Field(64, ge=16, le=512, description="side of a patch in pixels")

    @property
    def minimum(self):
        return 1

    def measure(self, evidence):
        views = evidence.samples, evidence.reference
        (x, sizes), (y, others) = (self._features(view, evidence.network) for view in views)
        if min(len(x), len(y)) < 2:
            raise GanzooError(f"the kernel distance needs at least 2 patches of {self.config.patch} pixels a side")
        paired = evidence.paired and sizes == others
        found = kernel_distance(standardised(x, y), standardised(y, y), paired=paired)
        details = {"error": found.error, "patches": float(len(x))}
        return Result(found.value, details=details, counterparts="left out" if paired else "none")

    @torch.inference_mode()
    def _features(self, view, network):
        side, parts, sizes = self.config.patch, [torch.empty(0, network.width)], []
        for image in view.pictures.each():
            sizes.append(image.shape)
            grid = image.unfold(1, side, side).unfold(2, side, side) if min(image.shape[1:]) >= side else image[:0]
            if len(grid):
                patches = grid.permute(1, 2, 0, 3, 4).flatten(0, 1)
                parts += [network(part).float().cpu() for part in patches.split(100)]
        return torch.cat(parts), sizes


class SpectrumDistance(Metric):
    """Root mean square difference of the mean radial log power spectra (Durall et al., 2020), in decades.

    Luma under a Hann window; blur and checkerboards, which the eye sees, stand out here.
    """

    title, higher_is_better, ideal = "Distance of log spectra", False, 0.0
    needs = ("reference", "pairs")

    class Config(Settings):
        bins: int = Field(32, ge=4, le=512, description="rings from the mean to the highest frequency")

    @property
    def minimum(self):
        return 1

    def measure(self, evidence):
        a, b = (self._profile(view) for view in (evidence.samples, evidence.reference))
        return Result((a - b).square().mean().sqrt().item(), details={"highest": (a - b)[-4:].mean().item()})

    def _profile(self, view):
        profiles = [radial_spectrum(image.float() / 255, self.config.bins) for image in view.pictures.each()]
        return torch.stack(profiles).mean(0)


def radial_spectrum(image, bins):
    """log10 of the power in each ring of frequencies, (bins,), of an image (C, H, W) in [0, 1]."""
    grey = (luma(image) if len(image) == 3 else image)[0].double()
    height, width = grey.shape
    window = (
        torch.hann_window(height, periodic=False).double()[:, None] * torch.hann_window(width, periodic=False).double()
    )
    power = torch.fft.fft2((grey - grey.mean()) * window).abs().square() / window.square().sum()
    radius = (torch.fft.fftfreq(height)[:, None].square() + torch.fft.fftfreq(width).square()).sqrt()
    ring = (radius / 0.5 * bins).long().flatten()
    inside = (ring < bins) & (torch.arange(len(ring)) > 0)  # within the Nyquist circle, without the mean
    total, count = torch.zeros(bins).double(), torch.zeros(bins).double()
    total.index_add_(0, ring[inside], power.flatten()[inside])
    count.index_add_(0, ring[inside], torch.ones(int(inside.sum())).double())
    return (total / count.clamp(min=1) + 1e-12).log10()
