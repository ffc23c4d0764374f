"""`pytest --ganzoo-plugin NAME`: an item for each check. Loaded by pytest everywhere, so nothing heavy at the top."""

import tomllib
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ganzoo", "the contract of ganzoo's plugins")
    group.addoption("--ganzoo-plugin", action="append", default=[], metavar="NAME", help="check this plugin's parts")
    group.addoption(
        "--ganzoo-settings",
        metavar="FILE",
        help='a TOML file with settings for parts that need some: ["dataset:mine"] path = "images"',
    )


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    plugins: list[str] = config.getoption("--ganzoo-plugin")
    if not plugins:
        return
    from ganzoo.errors import GanzooError
    from ganzoo.testing import checks_of

    file: str | None = config.getoption("--ganzoo-settings")
    try:
        settings = tomllib.loads(Path(file).read_text()) if file else {}
        checks = [check for plugin in plugins for check in checks_of(plugin, settings)]
    except (GanzooError, OSError, tomllib.TOMLDecodeError) as error:
        raise pytest.UsageError(str(error)) from None
    items += [ContractItem.from_parent(session, name=str(check), check=check) for check in checks]


class ContractItem(pytest.Item):
    """One check of one part."""

    def __init__(self, *, check: Any, **arguments: Any):
        super().__init__(**arguments)
        self.check = check

    def runtest(self) -> None:
        from ganzoo.testing import NotRun

        try:
            self.check()
        except NotRun as reason:
            pytest.skip(str(reason))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from ganzoo.testing import Fault

        if isinstance(excinfo.value, Fault):
            return f"{excinfo.value}\n(the check: {self.check.about})"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return Path(self.check.rule.__code__.co_filename), self.check.rule.__code__.co_firstlineno, self.name
