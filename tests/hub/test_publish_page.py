"""docs/publish.md: its rows have tests, and it says what it must (T20)."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "publish.md").read_text()


def test_every_row_of_the_threat_table_has_tests_by_its_number():
    rows = re.findall(r"^\| (T\d+) \|", PAGE, re.M)
    assert rows == [f"T{number}" for number in range(1, 21)]
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    named = set(re.findall(r"def test_T(\d\d)_", tests))
    assert named == {f"{number:02}" for number in range(1, 21)}


def test_T20_the_page_prefers_short_lived_and_narrow_tokens():
    said = PAGE[PAGE.index("**Tokens.**") :].split("\n\n")[0]
    for words in ("fine-grained", "one repository", "trusted publishers", "HF_OIDC_RESOURCE", "short-lived"):
        assert words in said


def test_the_page_says_what_was_not_tried():
    assert "Nothing has been tried on huggingface.co yet" in " ".join(PAGE.split())
