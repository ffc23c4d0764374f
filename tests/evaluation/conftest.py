import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch, request):
    """Features of references are cached beside the tests, one cache for all of them."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("GANZOO_CACHE", str(folder))
