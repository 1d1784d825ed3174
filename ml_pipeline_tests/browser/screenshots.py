"""Drives the UI that `make ui` started, in headless Chromium: looks at the graph, materialises one night, takes pictures.

Needs Chromium (Debian: ``apt-get install chromium``) and a data root on which `make run` has finished. Arguments: the night to
materialise, and where the UI is.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

_PICTURES = Path(__file__).parents[2] / ".readme"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
_RUN_SECONDS = 600
_WINDOW: ViewportSize = {"width": 1500, "height": 860}


def main(night: str = "2013-10-02", ui: str = "http://127.0.0.1:3000") -> None:
    with ui_page(ui) as page:
        _graph(page)
        _evaluation(page)
        take(page, "checks", "/assets/features?view=checks", "Latest execution")
        materialise(page, night)
        take(page, "scores", f"/assets/scores?view=partitions&partition={night}", "model_version")
        take(page, "runs", "/runs", f"night: {night}")
        open_data_docs(page, "2013-09-29")


@contextmanager
def ui_page(ui: str) -> Iterator[Page]:
    """A page of a browser that talks to ``ui`` and to nothing else."""
    chromium = shutil.which("chromium") or sys.exit("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield browser.new_page(viewport=_WINDOW, base_url=ui)
        browser.close()


def take(page: Page, name: str, path: str, awaited: str, folder: Path = _PICTURES) -> None:
    """A picture of the page at ``path``, once it shows the text ``awaited`` and asks for nothing more."""
    page.goto(path)
    expect(page.get_by_text(awaited).first).to_be_visible(timeout=30_000)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / f"{name}.png")


def _graph(page: Page) -> None:
    """The graph alone, in a window that is high enough for all of it: Dagster fits its width only."""
    page.set_viewport_size({"width": 1500, "height": 2100})
    page.goto("/asset-groups")
    expect(page.get_by_text("monitoring").first).to_be_visible(timeout=30_000)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Alt+KeyE")  # expand all groups
    expect(page.get_by_text("trained_model").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2000)  # the layout moves into place
    page.screenshot(path=_PICTURES / "graph.png", clip={"x": 545, "y": 200, "width": 950, "height": 1890})
    page.set_viewport_size(_WINDOW)


def _evaluation(page: Page) -> None:
    page.goto("/assets/trained_model?view=partitions&partition=2013-07-01")
    row = page.locator("tr", has_text="evaluation").get_by_text("Show Markdown")
    row.click(timeout=30_000)
    expect(page.get_by_role("img", name="calibration")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=_PICTURES / "evaluation.png")


def open_data_docs(page: Page, night: str) -> None:
    """Great Expectations' Data Docs open where the UI says that they lie."""
    page.goto(f"/assets/monitoring/expectations?view=partitions&partition={night}")
    path = page.locator("tr", has_text="data_docs").locator("td").nth(1)
    expect(path).to_contain_text("index.html", timeout=30_000)
    page.goto(f"file://{path.inner_text().split()[0]}")
    expect(page.get_by_role("heading", name=f"Data Docs of night {night}")).to_be_visible()


def materialise(page: Page, night: str) -> None:
    """Materialise one night as a person would: job, button, partition, launch; then wait for the run to succeed."""
    page.goto("/locations/ml_pipeline/jobs/nightly_scoring")
    page.get_by_role("button", name="Materialize").first.click(timeout=30_000)
    page.get_by_role("button", name="Custom").click()
    field = page.get_by_placeholder("ex:")
    field.fill(night)
    field.press("Enter")
    before = {run["runId"] for run in runs(page)}
    page.get_by_role("button", name="Launch").last.click()
    run = await_success(page, before, {"dagster/partition": night})
    print(f"materialised {night} through the UI: run {run['runId']} succeeded")


def await_success(page: Page, before: set[str], tags: dict[str, str]) -> dict[str, Any]:
    """The run with ``tags`` that is not among ``before``, once it has succeeded."""
    for _ in range(_RUN_SECONDS):
        for run in runs(page):
            is_mine = run["runId"] not in before and tags.items() <= run["tags"].items()
            if is_mine and run["status"] == "SUCCESS":
                return run
            if is_mine and run["status"] in {"FAILURE", "CANCELED"}:
                sys.exit(f"run {run['runId']} with {tags} ended as {run['status']}")
        page.wait_for_timeout(1000)
    sys.exit(f"no run with {tags} has succeeded within {_RUN_SECONDS} s")


def runs(page: Page) -> list[dict[str, Any]]:
    """The newest runs, as the UI's own interface tells them; ``tags`` by key."""
    query = "{runsOrError(limit: 20) {... on Runs {results {runId status jobName tags {key value}}}}}"
    found = page.request.post("/graphql", data={"query": query}).json()["data"]["runsOrError"]["results"]
    return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]


if __name__ == "__main__":
    main(*sys.argv[1:])
