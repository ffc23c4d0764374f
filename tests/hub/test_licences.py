"""Which licences go together."""

import pytest

from ganzoo.hub.licences import carried, problems, terms

FINE = [
    ("apache-2.0", "MIT"),
    ("mit", "CC-BY-4.0"),
    ("cc-by-sa-4.0", "CC-BY-SA-3.0"),
    ("cc-by-sa-3.0", "CC-BY-SA-3.0"),
    ("cc-by-nc-4.0", "CC-BY-NC-3.0"),
    ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0 AND CC0-1.0"),
    ("mit", "GPL-3.0 OR MIT"),
    ("mit", "(GPL-3.0 OR MIT)"),
    ("mit", "GPL-3.0 OR MIT AND CC-BY-4.0"),
    ("gpl-3.0", "GPL-3.0-or-later"),
    ("apache-2.0", "public domain"),
]
REFUSED = [
    ("apache-2.0", "CC-BY-SA-3.0", "--licence cc-by-sa-4.0"),
    ("cc-by-sa-3.0", "CC-BY-SA-4.0", "--licence cc-by-sa-4.0"),
    ("cc-by-4.0", "CC-BY-NC-4.0", "non-commercial"),
    ("cc-by-sa-4.0", "CC-BY-NC-SA-4.0", "non-commercial"),
    ("cc-by-nc-4.0", "CC-BY-NC-SA-4.0", "the same licence"),
    ("cc-by-nd-4.0", "CC-BY-ND-4.0", "allows no adaptations"),
    ("mit", "GPL-3.0", "the same licence"),
    ("mit", "MIT AND CC-BY-SA-4.0", "the same licence"),
    ("mit", "ask me", "doesn't know"),
    ("apache-2.0", "(MIT OR Apache-2.0) AND CC-BY-NC-4.0", "doesn't know"),
    ("mit", "CC-BY-NC-4.0 AND (GPL-3.0 OR MIT)", "doesn't know"),
    ("mit", "(MIT) OR (GPL-3.0)", "doesn't know"),
    ("mit", "MIT or Apache-2.0, CC-BY-NC-4.0", "doesn't know"),
    ("mit", "", "has no licence"),
    ("openrail", "mit", "none that ganzoo knows"),
    (None, "mit", "it has no licence"),
]


@pytest.mark.parametrize(("licence", "data"), FINE)
def test_these_go_together(licence, data):
    assert list(problems(licence, {"the data": data})) == []


@pytest.mark.parametrize(("licence", "data", "said"), REFUSED)
def test_these_do_not(licence, data, said):
    (problem,) = problems(licence, {"the data": data})
    assert said in problem


def test_every_ancestor_counts():
    carried = {"the data 'a'": "mit", "the base model hf://x/y": "cc-by-nc-4.0"}
    (problem,) = problems("mit", carried)
    assert problem.startswith("the base model hf://x/y")


def test_data_of_one_name_may_have_two_licences():
    bases = [
        {"model": model, "licence": "mit", "data": [{"name": "image-folder (photos)", "licence": licence}]}
        for model, licence in (("hf://x/first", "cc-by-nc-4.0"), ("hf://x/second", "mit"))
    ]
    (problem,) = problems("mit", carried({"spec": {"name": "mine", "licence": "mit"}, "lineage": bases}))
    assert "hf://x/first" in problem


def test_unknown_words_have_no_terms():
    assert terms("cc-by-sa-9000") is None
