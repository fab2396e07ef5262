"""``dg scaffold defs adata_assets.AdataDataset <id>``: a YAML to be filled in, or one of a file."""

from __future__ import annotations

import dagster as dg
from pydantic import BaseModel, Field

from adata_assets.commit import write_atomically
from adata_assets.errors import InputError


class ScaffoldParams(BaseModel):
    """What ``dg scaffold`` takes beside the dataset's id."""

    source: str | None = Field(
        None, description="h5ad file or zarr folder to look into; without it the YAML is blank"
    )


class DatasetScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes the YAML of one dataset; the folder's name is its id."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """Return the model of the parameters."""
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        """Write ``defs.yaml``.

        Raises
        ------
        InputError
            If Python is asked for, if there is one already, or the source cannot be read.
        """
        # Every load of the definitions imports this module; a look needs more than they do.
        from adata_assets.components.proposed import YAML_NAME, propose_dataset

        path = request.target_path / YAML_NAME
        if request.scaffold_format != "yaml" or request.append:
            raise InputError(
                f"{path}: a dataset is one YAML in a folder of its own; leave out --format and "
                "--append"
            )
        if path.exists():
            raise InputError(f"{path} exists: correct it, or choose another id")
        proposed = propose_dataset(
            request.target_path.name,
            request.params.source,
            folder=request.target_path,
            project_root=request.project_root or request.target_path,
        )
        write_atomically(path, proposed.text)
