"""A linear probe: what labelled pictures teach of their classes, told from their features by one linear layer."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

DECAY = 1e-2  # of the weights, for features of unit variance


class LinearProbe:
    """Multinomial logistic regression on standardised features (Alain and Bengio, 2016), by LBFGS from zero.

    Features (N, width) float32, labels (N,) int64 below `classes`; nothing of it is random.
    """

    def __init__(self, features: Tensor, labels: Tensor, classes: int):
        deviation, self.mean = torch.std_mean(features, 0, correction=0)
        self.scale = torch.where(deviation > 1e-6, deviation, 1.0)
        self.weight = torch.zeros(features.shape[1], classes, requires_grad=True)
        self.bias = torch.zeros(classes, requires_grad=True)
        optimizer = torch.optim.LBFGS([self.weight, self.bias], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            penalty = DECAY / 2 * self.weight.square().sum()
            value = cross_entropy(standard @ self.weight + self.bias, labels) + penalty
            value.backward()  # type: ignore[no-untyped-call]
            return value

        with torch.inference_mode(False), torch.enable_grad():
            standard = self._standard(features)
            optimizer.step(loss)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def named(self, features: Tensor) -> Tensor:
        """The class of each, (N,)."""
        return (self._standard(features) @ self.weight + self.bias).argmax(1)

    def _standard(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.scale
