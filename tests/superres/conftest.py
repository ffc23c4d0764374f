"""A model that enlarges."""

import pytest

import ganzoo


@pytest.fixture(scope="module")
def model():
    return ganzoo.load("srresnet-photos-x4", device="cpu")
