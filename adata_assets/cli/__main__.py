"""``python -m adata_assets.cli``: the command without its script."""

from __future__ import annotations

from adata_assets.cli import main

if __name__ == "__main__":
    main()
