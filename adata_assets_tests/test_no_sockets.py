"""A dataset of files of this machine is made offline: only http, s3, census and sra sources go out.

The read-back of the local share store serves and fetches on 127.0.0.1; nothing else is opened.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import requests

from adata_assets.spec import DatasetSpec
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells
from adata_assets_tests.sockets import LeftTheMachineError, closed_sockets

# Code that speaks to other machines, and what it speaks with.
REMOTE = {"pysradb", "boto3", "botocore", "cellxgene_census", "tiledbsoma"}
MATERIALIZE = """
import json, sys
from pathlib import Path
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.sockets import closed_sockets
from adata_assets_tests.test_no_sockets import of_files

root, *sources = map(Path, sys.argv[1:])
with closed_sockets():
    Dataset.make(of_files([str(source) for source in sources]), root).succeed()
print(json.dumps(sorted(sys.modules)))
"""


def of_files(paths):
    """Return the small spec over several files."""
    fields = make_spec("unused").model_dump(exclude_unset=True)
    return DatasetSpec(**{**fields, "source": tuple(paths)})


def cellxgene_cells(seed=0):
    """Generated cells with the columns of the CELLxGENE schema and one accession."""
    adata = make_cells(seed=seed)
    terms = {"B cell": "CL:0000236", "T cell": "CL:0000084", "NK cell": "CL:0000623"}
    types = adata.obs["cell_type"].astype(object)
    adata.obs["cell_type_ontology_term_id"] = pd.Categorical(types.map(terms).fillna("CL:0000576"))
    adata.obs["tissue_ontology_term_id"] = pd.Categorical(["UBERON:0000178"] * adata.n_obs)
    adata.obs["assay_ontology_term_id"] = pd.Categorical(["EFO:0009922"] * adata.n_obs)
    adata.obs["organism"] = "Homo sapiens"
    adata.obs["is_primary_data"] = np.ones(adata.n_obs, bool)
    adata.obs["accession"] = "GSM5226574"
    return adata


def test_closed_sockets_are_closed():
    with closed_sockets():
        with (
            socket.socket() as leaving,
            pytest.raises(LeftTheMachineError, match="connect to"),
        ):
            leaving.connect(("192.0.2.1", 80))
        with pytest.raises(LeftTheMachineError, match="getaddrinfo of 'example.org'"):
            requests.get("http://example.org", timeout=1)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))


@pytest.mark.parametrize("n_files", [1, 2])
def test_no_socket_is_opened_but_for_the_read_back(tmp_path, n_files):
    sources = [
        str(write_cells(tmp_path, cellxgene_cells(seed), f"raw{seed}.h5ad"))
        for seed in range(n_files)
    ]
    with closed_sockets() as seen:
        dataset = Dataset.make(of_files(sources), tmp_path).succeed()
    assert dataset.published.joinpath("README.md").is_file()
    served = {address[1] for name, address in seen if name == "bind"}
    reached = {address[1] for name, address in seen if name == "connect"}
    assert reached
    assert reached <= served


def test_code_that_speaks_to_other_machines_is_never_imported(tmp_path):
    sources = [
        str(write_cells(tmp_path, cellxgene_cells(seed), f"r{seed}.h5ad")) for seed in (0, 1)
    ]
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MATERIALIZE, str(tmp_path), *sources],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set(json.loads(ran.stdout.splitlines()[-1]))
    schemes = {name for name in loaded if name.startswith("adata_assets.sources.schemes.")}
    assert schemes == {"adata_assets.sources.schemes.file"}
    assert not loaded & {*REMOTE, "adata_assets.sources.s3_objects"}
