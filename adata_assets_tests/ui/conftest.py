"""Says in the terminal when the browser test could not run, and how to make it run."""

from __future__ import annotations

import pytest

from adata_assets_tests.ui.browser import HOW_TO_INSTALL, find_chromium


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one section when there is no browser."""
    if find_chromium() is None:
        terminalreporter.section("the UI was NOT tested", red=True, bold=True)
        terminalreporter.line(HOW_TO_INSTALL)
