"""What every run imports, for the process that runs are forked from.

Belongs here: libraries that are slow to import. None of our own modules: a run reads those when it
begins, as a code location does that is loaded again. Nor what opens files or connections, or starts
threads that do not survive a fork (those of BLAS and of the allocators are made for it).
"""

import contextlib

import anndata  # noqa: F401
import dagster._cli.api
import dagster._core.storage.sqlite_storage
import dagster.components  # noqa: F401
import dagster_pandera  # noqa: F401
import matplotlib.backends.backend_agg
import matplotlib.figure  # noqa: F401
import pandera.pandas  # noqa: F401
import pyarrow.dataset  # noqa: F401
import requests  # noqa: F401
import scipy.sparse  # noqa: F401
import upath  # noqa: F401
import uvicorn  # noqa: F401
import zarr  # noqa: F401

# What numba reads before it can load a compiled kernel: more than half a second. It is no promise of
# numba's, and a release without it must not keep runs from starting.
with contextlib.suppress(ImportError, AttributeError):
    from numba.core.registry import cpu_target

    cpu_target.target_context.refresh()
