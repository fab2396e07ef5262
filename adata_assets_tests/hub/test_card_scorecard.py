"""What the card says about embeddings on held-out cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adata_assets.hub.card_scorecard import describe_scorecard, embed_picture, link_pictures
from adata_assets.schemas.scorecard import ScorecardSchema

FACTS = {"pca": "pca", "label_column": "cell_type", "warnings": []}


def row(**changed: object) -> dict[str, object]:
    """One row of an embedding that passes; figures can be replaced."""
    figures = dict.fromkeys(ScorecardSchema.to_schema().columns, np.nan)
    told = {
        "embedder": "scvi",
        "method": "scvi",
        "split": "validation",
        "verdict": "passes",
        "n_train": 1200,
        "n_evaluated": 340,
        "n_classes": 5,
        "classes_left_out": "",
        "macro_f1": 0.81234,
        "noise_f1": 0.2,
        "over_noise": 0.61234,
        "over_noise_low": 0.55,
        "over_noise_high": 0.67,
        "silhouette": -0.1,
        "notes": "",
    }
    return {**figures, **told, **changed}


def test_every_figure_stands_in_the_table() -> None:
    """S8: figures with their intervals; what was not measured is a dash."""
    worse = {"over_pca": -0.1, "over_pca_low": -0.2, "over_pca_high": -0.05, "ilisi": 0.5}
    table = ScorecardSchema.validate(pd.DataFrame([row(), row(split="test", **worse)]))
    lines = describe_scorecard(table, FACTS).splitlines()
    assert lines[2] == (
        "| `scvi` | validation | passes | 0.812 | +0.612 [+0.550, +0.670] | – | -0.100 | – | – |"
    )
    assert "| -0.100 [-0.200, -0.050] |" in lines[3]
    assert "| 0.500 | – |" in lines[3]


def test_how_it_was_measured_and_on_which_cells_is_said() -> None:
    left_out = "CD34+ cell (3, 1); T*cell (0, 9)"
    text = describe_scorecard(pd.DataFrame([row(classes_left_out=left_out)]), FACTS)
    assert "five random embeddings and with `pca`: 95 % intervals of 1,000 paired" in text
    assert "obs column `cell_type`" in text
    assert "- validation: 340 cells of 5 cell types, told by 1,200 train cells; left out" in text
    assert "CD34+ cell (3, 1); T\\*cell (0, 9)" in text
    assert "Warnings" not in text
    private = describe_scorecard(pd.DataFrame([row()]), {**FACTS, "label_column": None})
    assert "Cell types are not named here." in private


def test_warnings_are_repeated() -> None:
    """Worse than pca is a warning that the card repeats."""
    facts = {**FACTS, "warnings": ["hvg, test: worse than pca: -0.1 [-0.2, -0.0]"]}
    text = describe_scorecard(pd.DataFrame([row()]), facts)
    assert text.endswith("**Warnings**\n\n- hvg, test: worse than pca: -0.1 \\[-0.2, -0.0\\]")
    no_pca = describe_scorecard(pd.DataFrame([row()]), {**FACTS, "pca": None})
    assert "there is no pca to compare with" in no_pca


def test_a_dataset_without_embeddings_says_so() -> None:
    assert describe_scorecard(None, {}) == "The files hold no embeddings."


def test_pictures_are_linked_in_the_card_and_embedded_elsewhere(tmp_path) -> None:
    """The card stays small: it names files beside it."""
    linked = link_pictures({"pca": "figures/pca.png", "hvg": "figures/hvg.png"})
    assert linked.count("](figures/") == 2
    path = tmp_path / "pca.png"
    path.write_bytes(b"\x89PNG")
    assert embed_picture(path, "pca").endswith("(data:image/png;base64,iVBORw==)")
