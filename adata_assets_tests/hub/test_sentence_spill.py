"""Texts of a split that are drawn by other chunks lie on disk until then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from adata_assets.hub.sentence_spill import SentenceSpill


def test_texts_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(25)]
    with SentenceSpill(tmp_path) as spill:
        for start, stop in ((0, 10), (10, 10), (10, 25)):
            spill.add(pa.chunked_array([texts[start:stop]], pa.string()))
        places = np.array([24, 0, 9, 10, 0, 13])
        assert spill.take(places).to_pylist() == [texts[i] for i in places]
        assert spill.take(np.array([], np.int64)).to_pylist() == []
        assert list(tmp_path.iterdir())
        with pytest.raises(ValueError, match="cannot be added"):
            spill.add(pa.chunked_array([["late"]]))
    assert not list(tmp_path.iterdir())
