"""A proposed YAML, held against the real spec and the real graph before anybody sees it.

Belongs here: what ``adata-assets new`` and ``dg scaffold`` share.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from adata_assets.beta import ignore_beta_warnings
from adata_assets.components.dataset_defs import build_dataset_defs
from adata_assets.errors import InputError
from adata_assets.onboarding.blank import blank_proposal
from adata_assets.onboarding.look import FileLook, look_at_source
from adata_assets.onboarding.proposal import propose
from adata_assets.onboarding.yaml_text import write_yaml
from adata_assets.sources.files import FILE_SCHEME, locate_source
from adata_assets.spec import DatasetSpec

YAML_NAME = "defs.yaml"


@dataclass(frozen=True)
class ProposedDataset:
    """A YAML that loads.

    Attributes
    ----------
    text
        Of ``defs.yaml``.
    look
        What was seen in the file; None if none was given.
    """

    text: str
    spec: DatasetSpec
    look: FileLook | None


def propose_dataset(
    dataset_id: str, uri: str | None, *, folder: Path, project_root: Path
) -> ProposedDataset:
    """Propose the YAML of a dataset and hold it against the spec and the graph.

    Parameters
    ----------
    uri
        A source on this machine; None: the YAML says what to fill in.
    folder
        Where the YAML will lie.
    project_root
        A source below it is named by a path that begins at ``folder``, so that the project can be
        moved.

    Raises
    ------
    InputError
        If the id cannot be one, or the source cannot be read.
    """
    require_dataset_id(dataset_id)
    if uri is None:
        text, look = write_yaml(blank_proposal(dataset_id)), None
    else:
        look = look_at_source(uri)
        text = write_yaml(propose(look, source=_address(uri, folder, project_root)))
    spec = DatasetSpec(dataset_id=dataset_id, **yaml.safe_load(text)["attributes"])
    with warnings.catch_warnings():
        ignore_beta_warnings()
        build_dataset_defs(spec, folder=folder, n_raw=None if look is None else max(look.n_obs, 1))
    return ProposedDataset(text, spec, look)


def require_dataset_id(dataset_id: str) -> None:
    """Refuse what cannot be the id of a dataset.

    Raises
    ------
    InputError
        Naming the id and the rule.
    """
    try:
        DatasetSpec(dataset_id=dataset_id, title="-", source="-", chunks={"count": 9})
    except ValidationError as error:
        raise InputError(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error


def _address(uri: str, folder: Path, project_root: Path) -> str:
    if "://" in uri and not uri.startswith(FILE_SCHEME):
        return uri
    path = locate_source(uri)
    if path.is_relative_to(project_root):
        return Path(os.path.relpath(path, folder)).as_posix()
    return str(path)
