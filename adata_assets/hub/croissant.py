"""``croissant.json``: the dataset for machines, in Croissant 1.1 with responsible-AI fields.

Belongs here: the file's form. What it says of data and pipeline comes from the spec and from facts
that were measured; it holds no time, so that equal content has equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets.commit import list_files
from adata_assets.hub.content import group_shards
from adata_assets.spec import DatasetSpec

CROISSANT = "croissant.json"
CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
FIELDS_OF_RESPONSIBILITY = (
    "rai:dataCollection",
    "rai:dataCollectionType",
    "rai:dataCollectionMissingData",
    "rai:dataPreprocessingProtocol",
    "rai:dataAnnotationProtocol",
    "rai:machineAnnotationTools",
    "rai:dataLimitations",
    "rai:dataBiases",
    "rai:personalSensitiveInformation",
    "rai:dataUseCases",
    "rai:dataReleaseMaintenancePlan",
)
_PARQUET = "application/x-parquet"
_DATA_TYPES = {
    pa.string(): "sc:Text",
    pa.float64(): "sc:Float",
    pa.int64(): "sc:Integer",
    pa.bool_(): "sc:Boolean",
}
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def write_croissant(
    folder: Path,
    spec: DatasetSpec,
    *,
    descriptions: Mapping[str, str],
    responsible: Mapping[str, Any],
) -> None:
    """Write ``croissant.json`` for the parquet files of a folder.

    Parameters
    ----------
    descriptions
        What a column holds, by its name; columns without are not described.
    responsible
        Fields of the responsible-AI vocabulary, as `state_responsibly` returns them.
    """
    files = {n: entry for n, entry in list_files(folder).items() if n.endswith(".parquet")}
    tables = group_shards(files)
    schemas = {table: pq.read_schema(folder / shards[0]) for table, shards in tables.items()}
    told = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        **_describe(spec),
        **responsible,
        "distribution": [*_list_files(files), *(_file_set(table) for table in tables)],
        "recordSet": [_record_set(t, schema, descriptions) for t, schema in schemas.items()],
    }
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (folder / CROISSANT).write_text(text, encoding="utf-8")


def state_responsibly(
    spec: DatasetSpec, *, annotated: Mapping[str, Any], limits: Sequence[str], n_removed: int
) -> dict[str, Any]:
    """Return the responsible-AI fields, from facts of the pipeline.

    Parameters
    ----------
    annotated
        Facts of ``annotated_obs``.
    limits
        Sentences of `list_limits`.
    n_removed
        Cells of the sources that are not published.
    """
    group = annotated["keys"]["group"]
    dealt = f"whole groups of {group}" if annotated["split_by"] == "group" else "single cells"
    given = annotated["keys"].get("caption")
    made = "Captions are made from columns of obs by fixed templates and read back by a check."
    return {
        "rai:dataCollection": spec.data_sources or "The dataset's settings name no sources.",
        "rai:dataCollectionType": ["Secondary Data Analysis"],
        "rai:dataCollectionMissingData": (
            f"{n_removed:,} cells of the sources are not published; the card's ledger names the "
            "rule for each of them. Values that the sources do not state are not made up."
        ),
        "rai:dataPreprocessingProtocol": [
            "Raw counts are verified on every stored value; genes are mapped by a pinned table.",
            f"Cells are cleaned one by one by fixed rules, then dealt into splits by {dealt}.",
            "All that is learnt (gene statistics, embeddings) is learnt from train cells only.",
        ],
        "rai:dataAnnotationProtocol": [
            f"Captions are those of the column {given}." if given else made,
            "Negatives are cells whose known facts contradict what the anchor's caption states.",
        ],
        "rai:machineAnnotationTools": ["adata_assets"],
        "rai:dataLimitations": list(limits),
        "rai:dataBiases": [
            "Donors, tissues and diseases are those that the sources sampled, not a population."
        ],
        "rai:personalSensitiveInformation": [
            "Columns that look like direct identifiers stop the pipeline until they are dropped or "
            "listed; the cells come from people and carry what the sources publish about them."
        ],
        "rai:dataUseCases": [
            "Training and evaluation of models that align transcriptomes with texts; zero-shot "
            "classification. Not for clinical use."
        ],
        "rai:dataReleaseMaintenancePlan": (
            "A release is one commit with a tag; a changed source gives a new one, and old tags stay."
        ),
    }


def _describe(spec: DatasetSpec) -> dict[str, Any]:
    works = [w.text + (f" https://doi.org/{w.doi}" if w.doi else "") for w in spec.citations]
    page = {"url": f"https://huggingface.co/datasets/{spec.repo_id}"} if spec.publish else {}
    licence = {"license": f"https://spdx.org/licenses/{spec.license}"} if spec.license else {}
    return {
        "name": spec.dataset_id,
        "description": spec.description or spec.title,
        "keywords": ["single-cell", "transcriptomics", "text", spec.format],
        "citeAs": "; ".join(works) or spec.title,
        **licence,
        **page,
    }


def _list_files(files: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{entry['n_bytes']} B",
            "encodingFormat": _PARQUET,
            "sha256": entry["sha256"],
        }
        for name, entry in files.items()
    ]


def _file_set(table: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{table}-files",
        "name": f"{table}-files",
        "encodingFormat": _PARQUET,
        "includes": f"{table}-*.parquet",
    }


def _record_set(table: str, schema: pa.Schema, descriptions: Mapping[str, str]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table}/{field.name}",
                "name": field.name,
                **({"description": d} if (d := descriptions.get(field.name)) else {}),
                "dataType": _DATA_TYPES.get(field.type, "sc:Text"),
                "source": {
                    "fileSet": {"@id": f"{table}-files"},
                    "extract": {"column": field.name},
                },
            }
            for field in schema
        ],
    }
