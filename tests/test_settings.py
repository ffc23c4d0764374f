"""Settings: checked, described, bounded, versioned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from ganzoo import Settings
from ganzoo.settings import mistakes


class Example(Settings):
    version = 3
    steps: int = Field(2, ge=1, le=9, description="how many")
    rate: float = Field(0.5, gt=0)
    sizes: tuple[int, ...] = ()
    name: str = "x"

    @classmethod
    def migrate(cls, settings, version):
        if version == 1:  # version 1 said `count`
            settings["steps"] = settings.pop("count")
        return settings


def wrong(data):
    with pytest.raises((ValidationError, ValueError)) as caught:
        Example.read(data)
    return mistakes(caught.value, "part")


def test_an_array_of_toml_is_a_tuple():
    assert Example.read({"sizes": [1, 2]}).sizes == (1, 2)


def test_settings_never_change():
    with pytest.raises(ValidationError):
        Example().steps = 3


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"steps": 10}, "part.steps: input should be less than or equal to 9, not 10"),
        ({"steps": "3"}, "part.steps: input should be a valid integer, not '3'"),
        ({"steps": True}, "part.steps: input should be a valid integer, not True"),
        ({"stpes": 3}, "part.stpes: there is no such setting"),
        ({"rate": float("nan")}, "part.rate: input should be a finite number, not nan"),
        ({"rate": float("inf")}, "part.rate: input should be a finite number, not inf"),
        ({"sizes": [1, "a"]}, "part.sizes.1: input should be a valid integer, not 'a'"),
        ({"name": 3}, "part.name: input should be a valid string, not 3"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(data, line):
    assert wrong(data) == [line]


def test_every_wrong_setting_is_listed():
    assert len(wrong({"steps": 0, "rate": -1, "sizes": 3, "colour": "red"})) == 4


def test_a_value_that_no_file_can_hold_is_refused():
    (line,) = wrong({"steps": object()})
    assert line.startswith("part: ")
    assert "is no value for a setting" in line


def test_settings_recorded_by_an_older_version_are_migrated():
    assert Example.read({"version": 1, "count": 7}).steps == 7
    assert Example.read({"version": 2, "steps": 7}).steps == 7


@pytest.mark.parametrize("version", [4, 0, -1, "3", 2.5, None, []])
def test_settings_of_a_newer_or_senseless_version_are_refused(version):
    (line,) = wrong({"version": version, "steps": 7})
    assert repr(version) in line
    assert "upgrade the plugin" in line


@given(st.integers(1, 9), st.floats(1e-6, 1e6), st.lists(st.integers()), st.text())
def test_a_record_is_read_back(steps, rate, sizes, name):
    settings = Example(steps=steps, rate=rate, sizes=tuple(sizes), name=name)
    assert settings.record()["version"] == 3
    assert Example.read(settings.record()) == settings


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["steps", "rate", "sizes", "name", "version", "other"]), JSON))
def test_any_mapping_is_read_or_its_mistakes_are_lines(data):
    lines = ["part"]
    try:
        settings = Example.read(data)
    except (ValidationError, ValueError) as error:
        lines = mistakes(error, "part")
    else:
        assert Example.read(settings.record()) == settings
    assert lines
    assert all(line.startswith("part") for line in lines)
