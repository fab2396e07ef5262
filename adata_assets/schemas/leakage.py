"""The leakage report: keys and equal cells in several splits, and a probe."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

_SHARE: dict[str, Any] = {"ge": 0, "le": 1, "nullable": True}


class SharedKeySchema(pa.DataFrameModel):
    """One row per obs column that looks like a key, and per group column."""

    column: Series[str] = pa.Field(unique=True, description="obs column of the source")
    is_group: Series[bool] = pa.Field(description="whole groups of this column were dealt")
    n_values: Series[int] = pa.Field(ge=0, description="values among the published cells")
    n_shared: Series[int] = pa.Field(ge=0, description="values that occur in several splits")
    n_obs_shared: Series[int] = pa.Field(ge=0, description="cells with such a value")

    class Config:
        """Every column is there and none else."""

        strict = True
        ordered = True

    @pa.dataframe_check(error="shared values are among the values")
    def shared_are_some(cls, table: pd.DataFrame) -> pd.Series:  # noqa: N805
        """Whether no more values are shared than there are."""
        return table["n_shared"] <= table["n_values"]


class SharedCellSchema(pa.DataFrameModel):
    """One row per cell that has an equal one in an earlier split."""

    sample_idx: Series[str] = pa.Field(unique=True, description="the cell")
    split: Series[str] = pa.Field(description="its split")
    equal_to: Series[str] = pa.Field(description="first cell with the same counts")
    equal_split: Series[str] = pa.Field(description="split of that cell")

    class Config:
        """Every column is there and none else."""

        strict = True
        ordered = True


class LeakageProbeSchema(pa.DataFrameModel):
    """One row per held-out split; figures are null where the probe does not apply."""

    split: Series[str] = pa.Field(
        isin=["validation", "test", "none"], description="whose cells were told by train cells"
    )
    reason: Series[str] = pa.Field(description="why the probe does not apply; empty if it does")
    n_train: Series[int] = pa.Field(ge=0, description="labelled train cells that vote")
    n_evaluated: Series[int] = pa.Field(ge=0, description="labelled cells that are told")
    n_classes: Series[int] = pa.Field(ge=0, description="cell types with enough cells of both")
    published_f1: Series[float] = pa.Field(
        **_SHARE, description="macro-F1 under the published split"
    )
    random_f1: Series[float] = pa.Field(
        **_SHARE, description="mean macro-F1 under five random splits of the same cells and sizes"
    )
    random_f1_low: Series[float] = pa.Field(**_SHARE, description="lowest of the five")
    random_f1_high: Series[float] = pa.Field(**_SHARE, description="highest of the five")
    gap: Series[float] = pa.Field(
        ge=-1, le=1, nullable=True, description="random_f1 minus published_f1"
    )

    class Config:
        """Every column is there and none else."""

        strict = True
        ordered = True

    @pa.dataframe_check(error="a probe has figures or a reason")
    def figures_or_reason(cls, table: pd.DataFrame) -> pd.Series:  # noqa: N805
        """Whether figures are there exactly where no reason is given."""
        return (table["reason"] == "") == table["gap"].notna()
