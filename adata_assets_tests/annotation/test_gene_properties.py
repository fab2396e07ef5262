"""Whatever a var holds: sums are conserved, ids unique, order that of the first feature."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from adata_assets.annotation.genes.build import build_genes, report_genes
from adata_assets.errors import InputError
from adata_assets.schemas.annotated import VarSchema

KNOWN = [
    "CD4",
    "CD4-1",
    "H2AFZ",
    "H2AZ1",
    "STRA13",
    "Y_RNA",
    "MT-ND1",
    "nCoV",
    "ERCC-00002",
    "C1ORF112",
    "ENSG00000010610",
    "ENSG00000010610.5",
    "ENSG00000112096",
    "ENSG00000999999",
    "CD4_ENSG00000010610",
    "hg19_CD4",
    "Cd4",
    "ENSMUSG00000023274",
    "AC079922.2",
    "gène é",
    "遺伝子",
]
NOTHING = [None, float("nan"), "", " ", "NA", "nan"]
names = st.one_of(
    st.sampled_from(KNOWN), st.sampled_from(NOTHING), st.text(max_size=6), st.integers(0, 9)
)
types = st.sampled_from(["Gene Expression", "Antibody Capture", "Peaks", None, float("nan"), "?"])


@st.composite
def source_vars(draw):
    n = draw(st.integers(0, 8))
    index = draw(st.one_of(st.just(list(range(n))), st.lists(names, min_size=n, max_size=n)))
    columns = {}
    for name, values in (("gene_ids", names), ("feature_name", names), ("feature_types", types)):
        if draw(st.booleans()):
            column = pd.Series(draw(st.lists(values, min_size=n, max_size=n)), dtype=object)
            is_category = draw(st.booleans()) and not column.map(type).eq(int).any()
            columns[name] = (column.astype("category") if is_category else column).to_numpy()
    return pd.DataFrame(columns, index=pd.Index(index, dtype=object))


def build(sources, species):
    try:
        return build_genes(sources, species=species)
    except InputError:
        return None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(source_vars(), min_size=1, max_size=3),
    st.sampled_from(["human", "mouse", "other", None]),
    st.integers(0, 2**32 - 1),
)
def test_any_var_is_refused_or_mapped_without_loss(sources, species, seed):
    genes = build(sources, species)
    if genes is None:
        return
    n_features = sum(len(var) for var in sources)
    VarSchema.validate(genes.var)
    assert genes.gene_index.shape == (n_features,) and genes.gene_index.dtype == np.int32
    first = pd.Series(genes.gene_index).drop_duplicates().tolist()
    assert first == list(range(len(genes.var)))
    assert genes.features["gene_id"].tolist() == [genes.var["gene_id"][i] for i in genes.gene_index]
    counts = np.random.default_rng(seed).integers(0, 2**40, n_features)
    by_gene = np.zeros(len(genes.var), np.int64)
    np.add.at(by_gene, genes.gene_index, counts)
    assert by_gene.sum() == counts.sum()
    assert genes.var["n_source_features"].sum() == n_features
    report = report_genes(genes, counts)
    assert report["n_counts"].sum() == counts.sum() and report["n_features"].sum() == n_features
    again = build(sources, species)
    pd.testing.assert_frame_equal(genes.var, again.var)
    pd.testing.assert_frame_equal(genes.features, again.features)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(KNOWN[:16]), min_size=1, max_size=12), st.randoms())
def test_what_a_name_means_does_not_depend_on_the_order(index, random):
    shuffled = random.sample(index, len(index))
    found, other = (
        build_genes([pd.DataFrame(index=names)], species="human").features
        for names in (index, shuffled)
    )
    assert dict(zip(found["name"], found["gene_id"], strict=True)) == dict(
        zip(other["name"], other["gene_id"], strict=True)
    )
