"""Folders that appear whole or not at all, and JSON without surprises."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.files import from_json, sha256, staged, sweep, to_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_whole(tmp_path):
    with staged(tmp_path / "deep" / "new") as staging:
        (staging / "a").write_text("a")
        assert not (tmp_path / "deep" / "new").exists()
    assert names(tmp_path / "deep") == ["new"]
    assert (tmp_path / "deep" / "new" / "a").read_text() == "a"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("replace", [False, True])
def test_or_not_at_all(tmp_path, error, replace):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a").write_text("old")
    with pytest.raises(error), staged(tmp_path / ("old" if replace else "new"), replace=replace) as staging:  # noqa: PT012
        (staging / "a").write_text("new")
        raise error
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old" / "a").read_text() == "old"


def test_an_older_folder_is_replaced_only_when_asked(tmp_path):
    for replace in (True, False):
        (tmp_path / "it").mkdir(exist_ok=True)
        (tmp_path / "it" / "stale").write_text("x")
        if replace:
            with staged(tmp_path / "it", replace=True) as staging:
                (staging / "a").write_text("new")
            assert names(tmp_path / "it") == ["a"]
        else:
            with pytest.raises(OSError, match="it"), staged(tmp_path / "it") as staging:
                (staging / "b").write_text("newer")
            assert names(tmp_path / "it") == ["a", "stale"]
        assert names(tmp_path) == ["it"]


def test_what_a_killed_process_left_is_swept(tmp_path):
    staging = staged(tmp_path / "new")
    left = staging.__enter__()  # never left again, as when a process is killed
    (left / "a").write_text("half")
    (tmp_path / "mine").mkdir()
    assert len(names(tmp_path)) == 2
    sweep(tmp_path)
    assert names(tmp_path) == ["mine"]


def test_a_folder_that_was_being_replaced_when_its_process_was_killed_stands_again(tmp_path, monkeypatch):
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "a").write_text("old")
    rename = Path.rename

    def killed(self, target):
        rename(self, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt), staged(tmp_path / "it", replace=True) as staging:
            (staging / "a").write_text("new")
    assert names(tmp_path) != ["it"]
    sweep(tmp_path)
    assert names(tmp_path) == ["it"]
    assert (tmp_path / "it" / "a").read_text() == "old"


def test_the_hash_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")  # FIPS 180-4's example


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_json_is_read_back(value):
    assert from_json(to_json(value)) == value


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "NaN", "[Infinity]", "-Infinity", "[" * 10**5, "{", "", b"\xff"])
def test_odd_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011
        from_json(text)


def test_nan_is_not_written():
    with pytest.raises(ValueError, match="JSON"):
        to_json({"a": float("nan")})
