"""The number of cells of a zarr folder, from its metadata alone.

Belongs here: both zarr formats that anndata writes. No array is opened, so it works on anything
that returns files by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from adata_assets.errors import InputError

ReadFile = Callable[[str], bytes | None]
# Of an index that is not a plain array (categorical, or with missing values), one part is as long.
_PARTS = ("", "/codes", "/values")


def count_zarr_obs(place: str, read: ReadFile) -> int:
    """Return the number of cells of an AnnData stored as zarr.

    Parameters
    ----------
    place
        What errors call it.
    read
        Returns the content of a file of the folder by its name, None where there is none.

    Raises
    ------
    InputError
        If it has no obs as anndata writes it.

    Examples
    --------
    >>> files = {"obs/.zattrs": b'{"_index": "cell"}', "obs/cell/.zarray": b'{"shape": [700]}'}
    >>> count_zarr_obs("cells.zarr", files.get)
    700
    """
    attributes = _read_json(place, read, "obs/.zattrs") or _read_json(
        place, read, "obs/zarr.json"
    ).get("attributes", {})
    index = attributes.get("_index")
    # The name comes from the file: it must not lead out of the folder.
    if isinstance(index, str) and ".." not in index.split("/"):
        for part in _PARTS:
            for name in (".zarray", "zarr.json"):
                shape = _read_json(place, read, f"obs/{index}{part}/{name}").get("shape")
                if isinstance(shape, list) and shape:
                    return int(shape[0])
    raise InputError(
        f"{place}: cannot read the number of cells: no obs as anndata writes it (index "
        f"{index!r}); is it a zarr folder of anndata?"
    )


def _read_json(place: str, read: ReadFile, name: str) -> dict[str, Any]:
    content = read(name)
    if content is None:
        return {}
    try:
        found = json.loads(content)
    except ValueError as error:
        raise InputError(f"{place}: {name} is damaged ({error}); write the folder again") from error
    return found if isinstance(found, dict) else {}
