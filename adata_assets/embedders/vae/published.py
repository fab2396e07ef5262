"""A published scVI model: fetched, read once, and turned into an encoder.

Belongs here: where a model can lie, and which models can be used. How the file is read is in
``checkpoint``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adata_assets.embedders.base.model import FrozenModel
from adata_assets.embedders.base.weights import fetch_weights
from adata_assets.embedders.vae.checkpoint import Checkpoint
from adata_assets.embedders.vae.encoder import freeze_encoder
from adata_assets.errors import InputError
from adata_assets.sources.download import download, require_room, with_retries
from adata_assets.sources.s3_objects import Bucket

METHOD = "scvi_hub"
S3_SCHEME = "s3://"
# What the encoder's arithmetic depends on, with what scvi-tools takes where nothing is stated.
_PLAIN = {"latent_distribution": "normal", "extra_encoder_kwargs": None}


@contextmanager
def fetched_model(source: str, file: str, *, revision: str | None, sha256: str) -> Iterator[Path]:
    """Open a model's file, of which the content is the stated one.

    Parameters
    ----------
    source
        A folder, ``s3://<bucket>/<folder>``, or a Hub id.
    file
        Name of the file below it.
    revision
        Of a Hub id: the commit.
    sha256
        Of the file; checked before anything reads it.

    Raises
    ------
    InputError
        If it cannot be had, or is another one.
    """
    with tempfile.TemporaryDirectory(prefix="adata_assets-model-") as scratch:
        if source.startswith(S3_SCHEME):
            _fetch_object(source, file, Path(scratch))
            source = scratch
        folder = fetch_weights(
            source, revision=revision, sha256={file: sha256}, files=[file], extra=METHOD
        )
        yield folder / file


def freeze_published(
    model: Checkpoint, gene_ids: list[str], facts: Mapping[str, Any]
) -> FrozenModel:
    """Return the encoder of a published model.

    Parameters
    ----------
    gene_ids
        Ids of ``model.var_names`` in the same order.
    facts
        Further facts to keep.

    Raises
    ------
    InputError
        If it is another kind of model, or its latent is no posterior mean.
    """
    options = _read_options(model.attributes)
    registry = model.attributes.get("registry_")
    kind = registry.get("model_name", "SCVI") if isinstance(registry, dict) else "SCVI"
    if kind != "SCVI":
        raise InputError(f"{METHOD}: the model is a {kind}; give one that SCVI.save wrote")
    for option, plain in _PLAIN.items():
        if (stated := options.get(option) or plain) != plain:
            raise InputError(
                f"{METHOD}: the model was made with {option}={stated!r}; only {plain!r} is "
                "understood: choose another model"
            )
    return freeze_encoder(
        model.state,
        gene_ids,
        log_input=bool(options.get("log_variational", True)),
        layer_norm=options.get("use_layer_norm", "none") in ("encoder", "both"),
        facts={"scvi_version": str((registry or {}).get("scvi_version", "not stated")), **facts},
    )


def _read_options(attributes: Mapping[str, Any]) -> dict[str, Any]:
    stated = attributes.get("init_params_")
    if not isinstance(stated, dict):
        raise InputError(
            f"{METHOD}: the model does not say how it was made (init_params_); save it again with "
            "a newer scvi-tools"
        )
    # Named ones, and below "kwargs" those of each ** parameter of the class.
    options = dict(stated.get("non_kwargs", {}))
    for further in stated.get("kwargs", {}).values():
        options |= further
    return options


def _fetch_object(source: str, file: str, folder: Path) -> None:
    bucket_name, _, prefix = source.removeprefix(S3_SCHEME).strip("/").partition("/")
    place, key = f"{source.rstrip('/')}/{file}", f"{prefix}/{file}".lstrip("/")
    bucket = Bucket(bucket_name, place=place)
    found, _ = with_retries(place, lambda: bucket.peek(key, 1))
    require_room(folder, found.n_bytes)
    target = folder / file
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "a+b") as handle:
        download(
            place, lambda start: bucket.open(key, found.etag, start, None), handle, found.n_bytes
        )
