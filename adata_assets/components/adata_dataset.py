"""``adata_assets.AdataDataset``: a dataset's YAML becomes the assets of one dataset.

Belongs here: reading the YAML into a ``DatasetSpec`` and keeping what only the headers
of the sources tell, the number of raw cells. The spec itself is plain pydantic.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster.components.utils.defs_state import DefsStateConfig, DefsStateConfigArgs
from pydantic import BaseModel, ValidationError, create_model

from adata_assets.components.dataset_defs import build_dataset_defs
from adata_assets.components.scaffolder import DatasetScaffolder
from adata_assets.errors import InputError
from adata_assets.sources.opening import open_sources
from adata_assets.spec import DatasetSpec, Frozen


def _attributes_model() -> type[BaseModel]:
    """Return the spec without ``dataset_id``, which is the folder's name."""
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in DatasetSpec.model_fields.items()
        if name != "dataset_id"
    }
    return create_model("AdataDatasetAttributes", __base__=Frozen, **fields)


ATTRIBUTES = _attributes_model()


@dg.scaffold_with(DatasetScaffolder)
class AdataDataset(dg.StateBackedComponent):
    """One dataset: raw h5ad in, published Hugging Face dataset out."""

    def __init__(self, spec: DatasetSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Return the model of the YAML's ``attributes``."""
        return ATTRIBUTES

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Build the component from a validated YAML; the folder's name is the dataset's id.

        Raises
        ------
        InputError
            If fields do not fit together: names the YAML file and the fields.
        """
        if attributes is None:
            raise InputError(f"{context.path}: attributes are missing (title, source, chunks, …)")
        given = attributes.model_dump(exclude_unset=True)
        try:
            spec = DatasetSpec(dataset_id=context.path.name, **given)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'attributes'}: {e['msg']}"
                for e in error.errors()
            )
            raise InputError(f"{context.path / 'defs.yaml'}: {problems}") from error
        loaded = cls(spec, context.path)
        context.component_tree.mark_component_defs_state_key(
            defs_state_key=loaded.defs_state_config.key, loc=context.component_loc
        )
        return loaded

    @property
    def defs_state_config(self) -> DefsStateConfig:
        """Keep the state beside the definitions, one file per dataset."""
        return DefsStateConfig.from_args(
            DefsStateConfigArgs.local_filesystem(),
            default_key=f"AdataDataset[{self.spec.dataset_id}]",
        )

    def write_state_to_path(self, state_path: Path) -> None:
        """Write what the headers of the sources tell: the number of raw cells."""
        n_raw = self._count_raw()
        state = {} if n_raw is None else {"n_raw": n_raw}
        state_path.parent.mkdir(parents=True, exist_ok=True)
        state_path.write_text(json.dumps(state))

    async def refresh_state(self, project_root: Path) -> str:
        """Look at the headers of the sources again; keep the last state when it cannot be reached."""
        from dagster.components.utils.project_paths import get_local_state_path

        path = get_local_state_path(self.defs_state_config.key, project_root)
        last = path.read_text() if path.is_file() else None
        try:
            return await super().refresh_state(project_root)
        except (InputError, OSError):
            if last is None:
                raise
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(last)
            return "local"

    def build_defs_from_state(
        self, context: dg.ComponentLoadContext, state_path: Path | None
    ) -> dg.Definitions:
        """Build the assets with the number of raw cells that the state holds.

        Raises
        ------
        InputError
            Names the YAML file with the field that is wrong.
        """
        state = json.loads(state_path.read_text()) if state_path and state_path.is_file() else {}
        try:
            n_raw = state["n_raw"] if "n_raw" in state else self._count_raw()
            return build_dataset_defs(self.spec, folder=self.folder, n_raw=n_raw)
        except InputError as error:
            error.add_note(f"while reading {self.folder / 'defs.yaml'}")
            raise InputError(f"{self.folder / 'defs.yaml'}: {error}") from error

    def _count_raw(self) -> int | None:
        if self.spec.chunks.size is None:
            return None
        from adata_assets.sources.sizes import count_raw_obs

        return count_raw_obs(self.spec, open_sources(self.spec, self.folder))
