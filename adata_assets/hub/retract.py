"""Taking a release back: one commit that leaves a notice where the data was.

Belongs here: the notice and the commit. Tags stay, and with them the bytes: whoever trained on a
release must be able to say on what. Data that must vanish (personal data) has to be removed on the
Hub itself, tags and history included.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import yaml

from adata_assets.errors import InputError
from adata_assets.hub.hub_repository import HubRepository, Part
from adata_assets.hub.manifest import MADE_BY, MANIFEST, MANIFEST_VERSION, parse_manifest
from adata_assets.hub.markdown import code_span, escape_markdown
from adata_assets.hub.publish import CARD, WAITS_S, persist, require_repo_id, require_token

_NOTICE = """---
{front_matter}---

# Retracted

This release of {dataset_id} was retracted by its owners. Do not use it.

**Reason**: {reason}

The main branch holds no data any more. Tags of earlier releases stay, so that results that rest on
them can be traced; the files behind their links may be gone. A mended release, if there is one,
replaces this notice.
"""


def retract_release(repo_id: str, reason: str, *, waits_s: Sequence[float] = WAITS_S) -> str:
    """Replace the card by a notice and remove the data, in one commit; return the commit's id.

    A release that is retracted already for this reason is left as it is.

    Parameters
    ----------
    repo_id
        ``owner/name``.
    reason
        One or more sentences for readers; must not be empty.
    waits_s
        As in `publish_folder`.

    Raises
    ------
    InputError
        No reason, no token in ``HF_TOKEN``, or a repository without a release of this package.
    PublishError
        If the Hub fails each time.
    """
    if not reason.strip():
        raise InputError("--reason is empty: tell readers why the release is taken back")
    hub = HubRepository(require_repo_id(repo_id), require_token())
    return persist(repo_id, lambda: _attempt(hub, repo_id, reason.strip()), waits_s)


def _attempt(hub: HubRepository, repo_id: str, reason: str) -> str:
    head = hub.find()
    tree = hub.tree(head) if head else {}
    text = hub.read(MANIFEST, head) if head and MANIFEST in tree else b""
    told = parse_manifest(text)
    if head is None or told is None:
        raise InputError(f"{repo_id} holds no release that this package made: nothing to retract")
    earlier = list(told.get("retracted", ()))
    if set(told["files"]) == {CARD} and earlier and earlier[-1]["reason"] == reason:
        return head
    entry = {"reason": reason, "manifest_sha256": hashlib.sha256(text).hexdigest()}
    parts = _make_notice(told["dataset_id"], [*earlier, entry])
    return hub.commit(parts, set(tree) - set(parts), head, "Retract the release")


def _make_notice(dataset_id: str, retracted: list[dict[str, Any]]) -> dict[str, Part]:
    front_matter = {"pretty_name": "Retracted", "tags": ["retracted"], "viewer": False}
    card = _NOTICE.format(
        front_matter=yaml.safe_dump(front_matter, sort_keys=False),
        dataset_id=code_span(dataset_id),
        reason=escape_markdown(retracted[-1]["reason"]),
    ).encode()
    sha256 = hashlib.sha256(card).hexdigest()
    told = {
        "made_by": MADE_BY,
        "manifest_version": MANIFEST_VERSION,
        "dataset_id": dataset_id,
        "files": {CARD: {"n_bytes": len(card), "sha256": sha256}},
        "tables": {},
        "retracted": retracted,
    }
    manifest = json.dumps(told, indent=1, sort_keys=True).encode()
    return {
        CARD: Part(card, sha256),
        MANIFEST: Part(manifest, hashlib.sha256(manifest).hexdigest()),
    }
