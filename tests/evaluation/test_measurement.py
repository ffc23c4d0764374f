"""A number carries its protocol and refuses to be compared with one that was measured otherwise."""

import pytest

from ganzoo import GanzooError, Measurement, Protocol, Result
from ganzoo.files import from_json, to_json

PROTOCOL = Protocol(metric="frechet-distance", features="digits-cnn", features_sha256="ab", count=1000, seeds=(0, 1))


def measured(*values, **changes):
    protocol = PROTOCOL.model_copy(update=changes)
    return Measurement.of("Fréchet distance (digits-cnn)", False, [Result(v) for v in values], protocol)


def test_the_value_is_the_mean_over_the_seeds_and_the_spread_their_deviation():
    found = measured(1.0, 2.0, 3.0)
    assert (found.value, found.spread, found.values) == (2.0, 1.0, (1.0, 2.0, 3.0))
    assert str(found) == "2.0000 ± 1.0000"
    assert measured(1.0).spread is None


def test_like_measurements_compare_by_what_is_better():
    assert measured(1.0).minus(measured(3.0)) == -2
    assert measured(1.0).better_than(measured(3.0))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("features", "inception-v3"),
        ("features_sha256", "cd"),
        ("reference", "mnist-10k (train)"),
        ("reference_sha256", "ef"),
        ("reference_count", 7),
        ("count", 999),
        ("resize", "28x28 to 299x299, torch bicubic"),
        ("colour", "luma"),
        ("crop", "middle square"),
        ("options", "truncation=0.7"),
        ("settings", {"k": 3}),
    ],
)
def test_unlike_protocols_are_refused_and_the_difference_is_named(field, value):
    with pytest.raises(GanzooError, match=rf"{field} is .*{str(value)[:12]}".replace("(", r"\(").replace("{", r"\{")):
        measured(1.0).minus(measured(1.0, **{field: value}))


def test_seeds_libraries_and_hardware_inform_and_do_not_part():
    other = measured(1.0, seeds=(7,), libraries={"torch": "9"}, hardware="another machine")
    assert measured(2.0).minus(other) == 1


def test_a_measurement_survives_json():
    found = measured(1.0, 2.0)
    assert Measurement.read(from_json(to_json(found.model_dump(mode="json")))) == found
