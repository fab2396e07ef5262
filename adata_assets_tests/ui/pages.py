"""What people click and look at: lineage, dialogs, the pages of assets, runs and schedules."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from playwright.sync_api import Page, expect

from adata_assets_tests.ui.browser import Dagster

CLICK_MS = 30_000
# A schedule of every minute has ticked by then.
TICK_MS = 90_000
EMBEDDING = "pbmc68k/embeddings/pca"


def open_url(page: Page, dagster: Dagster, path: str) -> None:
    """Open a page of the UI; its parts come later."""
    page.goto(f"{dagster.url}/{path}", wait_until="domcontentloaded")


def leave(page: Page) -> None:
    """Open nothing: a page that is drawn again and again takes time from the runs."""
    page.goto("about:blank")


def click(page: Page, name: str, *, exact: bool = False) -> None:
    """Press the first button of that name."""
    page.get_by_role("button", name=name, exact=exact).first.click(timeout=CLICK_MS)


def see(page: Page, text: str, *, timeout_ms: int = CLICK_MS) -> None:
    """Require a text on the page."""
    expect(page.get_by_text(text).first).to_be_visible(timeout=timeout_ms)


def open_group(page: Page, dagster: Dagster, dataset_id: str) -> None:
    """Open the lineage of a dataset."""
    group = f"locations/__repository__@adata_assets/asset-groups/{dataset_id}"
    open_url(page, dagster, group)


def see_lineages(page: Page, dagster: Dagster, dataset_ids: Sequence[str]) -> None:
    """Require the group of each dataset in the whole lineage, and the stages in its own."""
    open_url(page, dagster, "asset-groups")
    for dataset_id in dataset_ids:
        see(page, dataset_id)
    for dataset_id in dataset_ids:
        open_group(page, dagster, dataset_id)
        for stage in ("source", "annotated_obs", "chunk_files", "hf_splits"):
            see(page, stage)


def materialize_all(page: Page, dagster: Dagster, dataset_id: str) -> None:
    """Materialize all assets of a dataset and all chunks, as a backfill."""
    open_group(page, dagster, dataset_id)
    click(page, "Materialize all")
    click(page, "All", exact=True)
    press_until_taken(page, "Launch backfill")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden(timeout=CLICK_MS)


def press_until_taken(page: Page, name: str) -> None:
    """Press a button of a dialog that may still be drawn anew, which swallows a press."""
    button = page.get_by_role("button", name=name, exact=True)
    for _ in range(5):
        button.click(timeout=CLICK_MS)
        # While the request is on its way the button has another name.
        with suppress(AssertionError):
            return expect(button).to_be_hidden(timeout=5_000)
    raise AssertionError(f"{name!r} was pressed and nothing came of it")


def observe_source(page: Page, dagster: Dagster, dataset_id: str) -> None:
    """Look at the source of a dataset: all that is made of it follows by itself."""
    open_url(page, dagster, f"assets/{dataset_id}/source")
    click(page, "Observe")
    see(page, "Launched run")


def open_partition(page: Page, dagster: Dagster, key: str, partition: str) -> None:
    """Open the page of one chunk of an asset."""
    open_url(page, dagster, f"assets/{key}?view=partitions&partition={partition}")
    see(page, partition)


def launch_chosen_partition(page: Page) -> None:
    """Materialize the partition whose page is open, and no other."""
    click(page, "Materialize")
    press_until_taken(page, "Launch 1 run")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden(timeout=CLICK_MS)


def read_error(page: Page, dagster: Dagster, run_id: str, error: str) -> None:
    """Require the page of a run to say what went wrong."""
    open_url(page, dagster, f"runs/{run_id}")
    see(page, error)


def see_columns_and_plots(page: Page, dagster: Dagster) -> None:
    """Require descriptions of columns, numbers over time, and what to do when it fails."""
    open_url(page, dagster, "assets/cells/annotated_obs?view=overview")
    see(page, "When it fails:")
    see(page, "counts over all genes of the source, before any filter")
    code = page.get_by_role("link", name="annotated_obs.py")
    expect(code).to_be_visible(timeout=CLICK_MS)
    click(page, "Plots")
    see(page, "dagster/row_count")
    expect(page.locator("canvas").first).to_be_visible(timeout=CLICK_MS)


def see_pictures(page: Page, dagster: Dagster) -> None:
    """Require the picture of the cells before and after cleaning."""
    open_url(page, dagster, "assets/cells/annotated_obs?view=events")
    see(page, "picture_quality")
    page.get_by_text("Show Markdown").first.click(timeout=CLICK_MS)
    require_picture(page, "quality")


def require_picture(page: Page, name: str) -> None:
    """Require a picture on the page that is no broken one."""
    picture = page.get_by_alt_text(name)
    expect(picture).to_be_visible(timeout=CLICK_MS)
    assert picture.evaluate("image => image.naturalWidth") > 0


def see_a_tick(page: Page, dagster: Dagster, schedule: str) -> None:
    """Require a schedule that found nothing to do to say so."""
    open_url(page, dagster, f"locations/adata_assets/schedules/{schedule}")
    see(page, "Every minute")
    see(page, "0 runs requested", timeout_ms=TICK_MS)


def see_checks(page: Page, dagster: Dagster, partition: str) -> None:
    """Require an embedding's chunk and its check, which shows the chunk made last."""
    open_partition(page, dagster, EMBEDDING, partition)
    see(page, "model_hash")
    open_url(page, dagster, f"assets/{EMBEDDING}?view=checks&checkDetail=embedding_schema")
    see(page, "embedding_schema")
    see(page, "Passed")


def see_scorecard(page: Page, dagster: Dagster) -> None:
    """Require the scorecard's table and an embedding's picture."""
    open_url(page, dagster, "assets/pbmc68k/embedding_scorecard?view=events")
    for shown in ("scorecard", "picture_pca"):
        row = page.get_by_role("row").filter(has_text=shown).first
        row.get_by_text("Show Markdown").click(timeout=CLICK_MS)
        if shown == "scorecard":
            expect(page.get_by_text("macro-F1", exact=True)).to_be_visible(timeout=CLICK_MS)
            for name in ("pca", "hvg"):
                expect(page.get_by_role("row", name=f"{name} validation passes")).to_be_visible()
        else:
            require_picture(page, "pca: held-out cells")
        click(page, "Close")
