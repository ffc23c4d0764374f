"""What recipes reach: the table of docs/recipes.md is what the script wrote, and one recipe is measured for real."""

from tests.benchmarks import recipes


def test_the_table_in_the_documentation_is_made_of_the_results():
    results = recipes.results()
    rows = results["fp32"]
    assert all(list(found) == recipes.digits() for found in results.values() if found)
    page = recipes.PAGE.read_text()
    assert recipes.BEGIN + recipes.page(results) + recipes.END in page
    order = [name for name in rows if rows[name]["frechet-distance"] < 2]
    lines = [line.split("`")[1] for line in recipes.page(results).splitlines() if "`" in line]
    assert sorted(lines[: len(order)]) == sorted(order)


def test_a_recipe_is_trained_and_measured(monkeypatch):
    monkeypatch.setattr(recipes, "SECONDS", 0.0)
    monkeypatch.setattr(recipes, "TRIAL", 0.01)
    found = recipes.measured("gan-mnist", "fp32")
    assert found["images"] == 64  # one step at least
    assert found["seconds"] > 0
    assert found["frechet-distance"] > found["real"] > 0
