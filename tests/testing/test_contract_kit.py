"""The contract kit: ganzoo's own parts pass it, and each broken part is caught by the check that should catch it."""

import re

import pytest
import torch
from PIL import Image

from ganzoo.errors import PluginError, UnknownNameError
from ganzoo.portable import missing_for_onnx
from ganzoo.registry import registry
from ganzoo.testing import Fault, NotRun, check_plugin, checks_of, closed_form
from tests.support import distribution
from tests.testing import broken

OURS = sorted(plugin.name for plugin in registry().plugins if plugin.first_party or plugin.name == "collections")
FOLDER = "dataset:image-folder"


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """Settings of the parts that can't be made without."""
    place = tmp_path_factory.mktemp("images")
    for name in ("cat", "dog"):
        (place / name).mkdir()
        for i in range(6):
            Image.new("RGB", (16, 16), (40 * i, 90, 20)).save(place / name / f"{i}.png")
    domains = {"a": str(place / "cat"), "b": str(place / "dog"), "size": 16}
    return {FOLDER: {"path": str(place), "size": 16}} | {f"dataset:folder-{k}": domains for k in ("pairs", "unpaired")}


EXPORTS = {"onnx", "torch_export"}  # the slow checks: run on the good parts, and on those that they should catch
EXPORTED = "mlp", "conditional-dcgan", "srresnet"  # of ours; `make prove` exports them all


def checks():
    """Of our own parts. That recipes go on bit for bit `tests/engine/test_resume.py` tries for each strategy."""
    for one in (check for plugin in OURS for check in checks_of(plugin)):
        rule = one.rule.__name__
        long = rule == "trains_and_resumes" or (rule in EXPORTS and one.subject.name not in EXPORTED)
        yield pytest.param(one, id=str(one), marks=[pytest.mark.prove] * long)


@pytest.mark.parametrize("one", checks())
def test_every_part_of_ours_passes(one, settings):
    subject = one.subject
    chosen = settings.get(f"{subject.kind}:{subject.name}", {})
    try:
        type(one)(type(subject)(subject.kind, subject.name, subject.plugin, chosen), one.rule)()
    except NotRun as reason:
        pytest.skip(str(reason))


GOOD = "Plain", "Enlarges", "Paints"


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """What the kit says of a whole plugin of broken parts, installed for this module: part -> check -> sentence."""
    place = tmp_path_factory.mktemp("broken")
    distribution(place, "ganzoo-broken", "tests.testing.broken")
    state, found = torch.get_rng_state(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        registry.cache_clear()
        for one in checks_of("broken"):
            part, rule = one.subject.name, one.rule.__name__
            if rule in EXPORTS and part not in GOOD and rule not in set().union(*broken.CAUGHT.get(part, ())):
                continue
            try:
                one()
            except Fault as fault:
                found.setdefault(part, {})[rule] = str(fault)
            except NotRun:
                pass
    registry.cache_clear()
    assert torch.equal(state, torch.get_rng_state())  # checking draws nothing from the caller's numbers
    return found


@pytest.mark.parametrize("part", broken.CAUGHT)
def test_a_broken_part_is_caught_by_the_check_that_should_catch_it(part, faults):
    wanted, also = broken.CAUGHT[part]
    if missing_for_onnx():
        wanted = wanted - {"onnx"}
    assert set(faults[part]) - also == wanted
    assert all(repr(part) in words for words in faults[part].values())


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_of_several_conditions_the_one_that_is_ignored_is_named(network, faults):
    words = faults[f"{network.capitalize()}IgnoresCaption"]["label_sensitivity"]
    assert words.endswith(f"has a {network} that ignores its caption; embed it")


def test_what_the_broken_parts_are_made_of_is_sound(faults):
    assert faults.keys() == broken.CAUGHT.keys()  # and so Good, Fine, Plain, Colours and the plugin itself have none


def test_what_could_not_run_is_said_with_its_reason():
    skipped = check_plugin("data")
    assert any(line.startswith(FOLDER) for line in skipped)
    assert all(re.search(r"it needs settings \((path|urls): this setting is needed", line) for line in skipped)


HOOK = """
from ganzoo import hookimpl

@hookimpl
def ganzoo_losses():
    return {"upside-down": "tests.testing.broken.losses:GeneratorSign"}
"""


def test_a_plugin_that_breaks_the_contract_is_told_every_fault_at_once(tmp_path, monkeypatch):
    distribution(tmp_path, "ganzoo-wrong", "ganzoo_wrong", ganzoo_wrong=HOOK)
    monkeypatch.syspath_prepend(tmp_path)
    registry.cache_clear()
    with pytest.raises(PluginError) as caught:
        check_plugin("wrong")
    registry.cache_clear()
    head, *lines = str(caught.value).splitlines()
    assert head == "plugin 'wrong' breaks the contract:"
    assert lines == [
        "  loss:upside-down:sign: loss 'upside-down' lowers the fake logits in generator_loss; turn its sign"
    ]


def test_an_unknown_plugin_is_named_with_those_that_exist():
    with pytest.raises(UnknownNameError, match=r"no plugin 'nothing' .*; there are: .*vanilla"):
        check_plugin("nothing")


def test_closed_form():
    loss = broken.Good()
    closed_form(loss, [0.0], [0.0], discriminator=2 * 0.6931471805599453, generator=0.6931471805599453)
    with pytest.raises(Fault, match=r"Good.generator gives 0.69.* by your formula 1"):
        closed_form(loss, [0.0], [0.0], discriminator=2 * 0.6931471805599453, generator=1.0)
