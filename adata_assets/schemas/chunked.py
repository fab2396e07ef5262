"""Tables that are stored once per chunk, and the statistics of genes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

MAX_URL_CHARS = 2048


class GeneStatsSchema(pa.DataFrameModel):
    """Per gene, over the train cells."""

    gene_id: Series[str] = pa.Field(unique=True, description="as in var")
    n_cells: Series[int] = pa.Field(ge=0, description="train cells with a count")
    total_counts: Series[int] = pa.Field(ge=0, description="sum of the counts")
    mean: Series[float] = pa.Field(ge=0, description="mean of counts per 10,000")
    variance: Series[float] = pa.Field(ge=0, description="variance of counts per 10,000 (ddof 1)")
    nonzero_median: Series[float] = pa.Field(
        nullable=True, gt=0, description="median of the non-zero counts per 10,000"
    )
    in_mask: Series[bool] = pa.Field(description="in enough train cells to be learnt from")
    hvg_rank: Series[int] = pa.Field(
        ge=-1, description="rank among the highly variable genes, 0 first; -1 for the others"
    )

    class Config:
        """Every column is there and none else."""

        strict = True


class MarkerSchema(pa.DataFrameModel):
    """Marker genes of the cell types, over the train cells."""

    cell_type: Series[str] = pa.Field(description="label")
    gene_id: Series[str] = pa.Field(description="as in var")
    rank: Series[int] = pa.Field(ge=0, description="place among the type's markers, 0 first")
    score: Series[float] = pa.Field(gt=0, description="Welch's t against all other labelled cells")

    class Config:
        """Every column is there and none else."""

        strict = True


class EmbeddingSchema(pa.DataFrameModel):
    """One vector per cell of the chunk, in dataset order."""

    sample_idx: Series[str] = pa.Field(unique=True, description="obs name of the cell")
    embedding: Series[pa.Object] = pa.Field(description="float32 vector of n_dims values")

    class Config:
        """Every column is there and none else."""

        strict = True

    @pa.check("embedding", error="every vector is float32, finite and of one width")
    def finite_vectors(cls, vectors: pd.Series) -> pd.Series:  # noqa: N805
        """Whether each vector is float32, finite and as wide as the first."""
        width = len(vectors.iloc[0]) if len(vectors) else 0
        return vectors.map(
            lambda v: v.dtype == np.float32 and len(v) == width and bool(np.isfinite(v).all())
        )

    @pa.dataframe_check(error="the vectors are not all the same")
    def not_constant(cls, table: pd.DataFrame) -> bool:  # noqa: N805
        """Whether at least two cells differ (a chunk of one cell passes)."""
        vectors = table["embedding"]
        return len(vectors) < 2 or any((v != vectors.iloc[0]).any() for v in vectors)


class CellTextSchema(pa.DataFrameModel):
    """One cell sentence per cell of the chunk, in dataset order."""

    sample_idx: Series[str] = pa.Field(unique=True, description="obs name of the cell")
    cell_sentence_2: Series[str] = pa.Field(description="gene symbols by falling expression")
    n_genes: Series[int] = pa.Field(ge=1, description="number of genes in the sentence")

    class Config:
        """Every column is there and none else."""

        strict = True

    @pa.dataframe_check(error="n_genes is the number of distinct words of the sentence")
    def counts_its_words(cls, table: pd.DataFrame) -> pd.Series:  # noqa: N805
        """Whether each sentence has as many distinct words as it says."""
        words = table["cell_sentence_2"].map(lambda sentence: len(set(sentence.split(" "))))
        return words == table["n_genes"]


_LABEL = "; the cell type stands in it for a share of the train cells"


class MarkerTextSchema(CellTextSchema):
    """Cell sentences with a third one, of marker genes."""

    cell_sentence_3: Series[str] = pa.Field(
        str_length={"min_value": 1},
        description="marker genes of the dataset's cell types by falling expression" + _LABEL,
    )


class LabelTextSchema(MarkerTextSchema):
    """Cell sentences with a third one, of marker genes, and a fourth one."""

    cell_sentence_4: Series[str] = pa.Field(
        str_length={"min_value": 1}, description="the genes of cell_sentence_2" + _LABEL
    )


def cell_text_schema(sentence_keys: Sequence[str]) -> type[CellTextSchema]:
    """Return the schema of cell texts with the sentences ``cell_sentence_1`` to the last key.

    Examples
    --------
    >>> keys = ("cell_sentence_1", "cell_sentence_2", "cell_sentence_3")
    >>> list(cell_text_schema(keys).to_schema().columns)
    ['sample_idx', 'cell_sentence_2', 'n_genes', 'cell_sentence_3']
    """
    return (CellTextSchema, MarkerTextSchema, LabelTextSchema)[len(sentence_keys) - 2]


class ShareLinkSchema(pa.DataFrameModel):
    """The two links of a chunk: its h5ad and its zarr zip."""

    kind: Series[str] = pa.Field(isin=["share_link", "adata_link"], description="which of the two")
    url: Series[str] = pa.Field(
        str_length={"min_value": 1, "max_value": MAX_URL_CHARS}, description="direct link"
    )
    sha256: Series[str] = pa.Field(str_matches=r"^[0-9a-f]{64}$", description="of the served bytes")
    n_bytes: Series[int] = pa.Field(gt=0, description="size of the file")
    expires_at: Series[str] = pa.Field(nullable=True, description="ISO time, null: never")
    store: Series[str] = pa.Field(description="share store")
    remote_name: Series[str] = pa.Field(description="name in the store")
    n_obs: Series[int] = pa.Field(gt=0, description="cells in the file")

    class Config:
        """Every column is there and none else."""

        strict = True
