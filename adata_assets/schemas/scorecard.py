"""The scorecard: what each embedding achieved on each held-out split."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

VERDICTS = ("passes", "fails", "not assessable", "exempt")
_SHARE: dict[str, Any] = {"ge": 0, "le": 1, "nullable": True}
_GAIN: dict[str, Any] = {"ge": -1, "le": 1, "nullable": True}


class ScorecardSchema(pa.DataFrameModel):
    """One row per embedding and held-out split; a figure that cannot be measured is null."""

    embedder: Series[str] = pa.Field(description="name of the embedder")
    method: Series[str] = pa.Field(description="its method")
    split: Series[str] = pa.Field(
        isin=["validation", "test", "none"],
        description="whose cells were evaluated; none: no cells were held out",
    )
    verdict: Series[str] = pa.Field(
        isin=list(VERDICTS),
        description="fails: no better than noise, on enough cells; exempt: controls and models with "
        "random weights",
    )
    n_train: Series[int] = pa.Field(ge=0, description="labelled train cells that vote")
    n_evaluated: Series[int] = pa.Field(ge=0, description="labelled held-out cells")
    n_classes: Series[int] = pa.Field(ge=0, description="cell types with enough cells of both")
    classes_left_out: Series[str] = pa.Field(
        description="cell types with too few cells, each with its train and evaluated cells"
    )
    macro_f1: Series[float] = pa.Field(
        **_SHARE, description="labels of the 15 nearest train cells (cosine), mean F1 of the types"
    )
    noise_f1: Series[float] = pa.Field(
        **_SHARE, description="the same of random vectors, mean of five seeds"
    )
    over_noise: Series[float] = pa.Field(**_GAIN, description="macro_f1 minus noise_f1")
    over_noise_low: Series[float] = pa.Field(
        **_GAIN, description="lower limit of its 95 % interval, paired bootstrap"
    )
    over_noise_high: Series[float] = pa.Field(**_GAIN, description="upper limit of it")
    over_pca: Series[float] = pa.Field(**_GAIN, description="macro_f1 minus that of pca")
    over_pca_low: Series[float] = pa.Field(
        **_GAIN, description="lower limit of its 95 % interval, paired bootstrap"
    )
    over_pca_high: Series[float] = pa.Field(**_GAIN, description="upper limit of it")
    silhouette: Series[float] = pa.Field(
        **_GAIN, description="mean silhouette of the cells by cell type (Euclidean)"
    )
    ilisi: Series[float] = pa.Field(**_SHARE, description="batch mixing, 0 (apart) to 1 (mixed)")
    agreement_with_pca: Series[float] = pa.Field(
        **_SHARE, description="share of the 15 nearest cells that pca has too (cosine)"
    )
    notes: Series[str] = pa.Field(description="what limits the figures")

    class Config:
        """Every column is there and none else."""

        strict = True
        ordered = True

    @pa.dataframe_check(error="each embedder has one row per split")
    def one_row_each(cls, table: pd.DataFrame) -> pd.Series:  # noqa: N805
        """Whether no row repeats another's embedder and split."""
        return ~table.duplicated(["embedder", "split"])

    @pa.dataframe_check(error="an interval has both limits, the lower one first")
    def limits_in_order(cls, table: pd.DataFrame) -> pd.Series:  # noqa: N805
        """Whether each interval has two limits in order, or none."""
        is_good = pd.Series(True, index=table.index)
        for name in ("over_noise", "over_pca"):
            low, high = table[f"{name}_low"], table[f"{name}_high"]
            is_good &= (low <= high) | (low.isna() & high.isna())
        return is_good
