"""The contract of a feature network: frozen, licensed, and differentiable to its images."""

import re
from unittest import mock

import torch

from ganzoo.errors import GanzooError
from ganzoo.testing.contract import NotRun, Subject, check, need, needs_settings


@check("features")
def feature_network(subject: Subject) -> None:
    """Any image becomes `width` numbers, the same each time; gradients reach the image and no weight."""
    try:
        with mock.patch("socket.getaddrinfo", side_effect=OSError("the checks use no network")):
            made = subject.target(subject.config())
    except ValueError as error:
        raise needs_settings(error) from None
    except (GanzooError, ImportError) as error:
        raise NotRun(f"its weights aren't here ({error})") from None
    made.to("cpu")
    hashed = re.fullmatch(r"[0-9a-f]{64}", made.weights_sha256)
    need(hashed, subject, "doesn't say the hash of its weights; set weights_sha256 to their 64 hexadecimal digits")
    need(made.licence.strip(), subject, "doesn't say the licence of its weights; set licence")
    images = torch.rand(2, 3, 24, 24).requires_grad_()
    features = made(images)
    shape = tuple(features.shape)
    need(shape == (2, made.width), subject, f"gives features of shape {shape}; flatten them to (N, width={made.width})")
    again = torch.equal(features, made(images))
    need(again, subject, "gives other features each time; put its network in eval mode by self.frozen(...)")
    frozen = not any(p.requires_grad for p in made.network.parameters())
    need(frozen, subject, "has weights that want gradients; wrap its network in self.frozen(...)")
    (gradient,) = torch.autograd.grad(features.sum(), [images], allow_unused=True)
    reached = gradient is not None and bool(gradient.any())
    need(reached, subject, "lets no gradient reach the images; a perceptual loss needs it, so no no_grad and no detach")
