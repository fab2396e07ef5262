"""Secrets of many shapes, and looking for them in everything below a folder, however written."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import anndata as ad
import pyarrow.parquet as pq

USER = "lab.user.Kq8Zt3WdPb"
_LETTERS = string.ascii_letters + string.digits
# Environment variables, and what comes before and after the random part of their values.
_SHAPES = {
    "ADATA_ASSETS_NEXTCLOUD_PASSWORD": ("p@ss:w/ö r+d%&\"'<>\\", "!$"),
    "AWS_SECRET_ACCESS_KEY": ("wJa/+", "/bPxRfi+EXAMPLE"),
    "AWS_SESSION_TOKEN": ("IQoJb3JpZ2luX2VjE", "//////////wE="),
    "HF_TOKEN": ("hf_", ""),
    "HUGGING_FACE_HUB_TOKEN": ("hf_old_", ""),
    "GITHUB_TOKEN": ("ghp_", ""),
    "GITHUB_FINE_TOKEN": ("github_pat_11", "_x"),
    "GITLAB_TOKEN": ("glpat-", ""),
    "SLACK_TOKEN": ("xoxb-2345678901-", ""),
    "OPENAI_API_KEY": ("sk-proj-", ""),
    "GOOGLE_API_KEY": ("AIzaSy", ""),
    "AZURE_STORAGE_CONNECTION_STRING": ("AccountKey=", "=="),
    "DATABASE_URL": ("postgresql+psycopg2://lab:", "@db.invalid/dagster"),
    "REDIS_URL": ("rediss://:", "@redis.invalid:6380/0"),
    "HTTPS_PROXY": ("http://lab:", "@127.0.0.1:9"),
    "JSON_WEB_TOKEN": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", ".c2ln"),
    "PRIVATE_KEY": ("-----BEGIN PRIVATE KEY-----\n", "\n-----END PRIVATE KEY-----"),
    "PYPI_TOKEN": ("pypi-AgEIcHlwaS5vcmc", ""),
    "NPM_TOKEN": ("npm_", ""),
    "NCBI_API_KEY": ("", "0f"),
    "SESSION_COOKIE": ("oc_sessionPassphrase=", "%3D"),
    "SOURCE_SIGNATURE": ("", ""),
    "SOURCE_SECURITY_TOKEN": ("FwoGZXIvYXdzE", "=="),
    "NETRC_PASSWORD": ("netrc+", "#"),
}


def make_secrets(seed: int) -> dict[str, str]:
    """Return one value per variable; no two runs of a seed differ."""
    rng = random.Random(seed)
    return {
        name: before + "".join(rng.choices(_LETTERS, k=24)) + after
        for name, (before, after) in _SHAPES.items()
    }


def app_password(seed: int) -> str:
    """Return an app password as Nextcloud makes them."""
    rng = random.Random(seed)
    return "-".join("".join(rng.choices(_LETTERS, k=5)) for _ in range(5))


def written_forms(secret: str) -> set[bytes]:
    """Return how a secret may stand in a file: as it is, escaped, quoted, encoded."""
    texts = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        escape(secret),
        json.dumps(secret)[1:-1],
        # A log inside of JSON inside of JSON, as event stores keep them.
        json.dumps(json.dumps(secret))[3:-3],
        repr(secret)[1:-1],
        base64.b64encode(secret.encode()).decode().rstrip("="),
        base64.b64encode(f"{USER}:{secret}".encode()).decode().rstrip("="),
    }
    forms = {text.encode() for text in texts} | {secret.encode("utf-16-le")}
    # The random part alone: half a secret is one too.
    longest = max(("".join(c if c in _LETTERS else " " for c in secret)).split(), key=len)
    return forms | {longest.encode()}


def find_secrets(folder: Path, secrets: Mapping[str, str]) -> list[str]:
    """Return where below a folder which secret stands, in names and contents of files."""
    forms = {name: written_forms(secret) for name, secret in secrets.items()}
    found = []
    for path in sorted(folder.rglob("*")):
        content = str(path.relative_to(folder)).encode()
        if path.is_file() and not path.is_symlink():
            content += b"".join(_contents(path))
        found += [f"{name} in {path}" for name, each in forms.items() if _holds(content, each)]
    return found


def _holds(content: bytes, forms: set[bytes]) -> bool:
    return any(form in content for form in forms)


def _contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    # What is compressed is looked at as a reader sees it.
    if path.suffix == ".parquet":
        yield str(pq.read_table(path).to_pydict()).encode()
        yield str(pq.read_schema(path).metadata).encode()
    if path.suffix == ".h5ad":
        adata = ad.read_h5ad(path)
        yield f"{adata.uns} {adata.obs.to_dict()} {adata.var.to_dict()}".encode()
