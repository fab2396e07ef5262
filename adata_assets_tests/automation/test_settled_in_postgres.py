"""All stories of ``test_settled`` once more, with the instance in PostgreSQL."""

import pytest

from adata_assets_tests.automation.test_postgres import instance  # noqa: F401
from adata_assets_tests.automation.test_settled import *  # noqa: F403

# On a graph with models every query is a connection of its own: minutes.
pytestmark = pytest.mark.slow
