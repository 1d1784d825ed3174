"""Drives the UI that `make ui` started, in headless Chromium: looks at the graph, materialises one night, takes pictures.

Needs Chromium (Debian: ``apt-get install chromium``) and a data root on which `make run` has finished.
"""

import json
import shutil
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

_UI = "http://127.0.0.1:3000"
_PICTURES = Path(__file__).parents[2] / ".readme"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
_RUN_SECONDS = 180


def main(night: str = "2013-10-02") -> None:
    chromium = shutil.which("chromium") or sys.exit("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        page = browser.new_page(viewport={"width": 1500, "height": 860})
        _graph(page)
        _evaluation(page)
        _picture(page, "checks", "/assets/features?view=checks", "Latest execution")
        _materialise(page, night)
        browser.close()


def _picture(page: Page, name: str, path: str, awaited: str) -> None:
    page.goto(_UI + path)
    expect(page.get_by_text(awaited).first).to_be_visible(timeout=30_000)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=_PICTURES / f"{name}.png")


def _graph(page: Page) -> None:
    page.goto(f"{_UI}/asset-groups")
    expect(page.get_by_text("monitoring").first).to_be_visible(timeout=30_000)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Alt+KeyE")  # expand all groups
    expect(page.get_by_text("trained_model").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=_PICTURES / "graph.png")


def _evaluation(page: Page) -> None:
    page.goto(f"{_UI}/assets/trained_model?view=partitions&partition=2013-07-01")
    row = page.locator("tr", has_text="evaluation").get_by_text("Show Markdown")
    row.click(timeout=30_000)
    expect(page.get_by_role("img", name="calibration")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=_PICTURES / "evaluation.png")


def _materialise(page: Page, night: str) -> None:
    """Materialise one night as a person would: job, button, partition, launch; then wait for the run to succeed."""
    page.goto(f"{_UI}/locations/ml_pipeline/jobs/nightly_scoring")
    page.get_by_role("button", name="Materialize").first.click(timeout=30_000)
    page.get_by_role("button", name="Custom").click()
    field = page.get_by_placeholder("ex:")
    field.fill(night)
    field.press("Enter")
    before = {run["runId"] for run in _runs()}
    page.get_by_role("button", name="Launch").last.click()
    run = _await_success(page, before, night)
    _picture(page, "scores", f"/assets/scores?view=partitions&partition={night}", "model_version")
    print(f"materialised {night} through the UI: run {run} succeeded")


def _await_success(page: Page, before: set[str], night: str) -> str:
    for _ in range(_RUN_SECONDS):
        for run in _runs():
            tags = {tag["key"]: tag["value"] for tag in run["tags"]}
            is_mine = run["runId"] not in before and night in tags.values()
            if is_mine and run["status"] == "SUCCESS":
                return str(run["runId"])
            if is_mine and run["status"] in {"FAILURE", "CANCELED"}:
                sys.exit(f"run {run['runId']} of {night} ended as {run['status']}")
        page.wait_for_timeout(1000)
    sys.exit(f"night {night} was not materialised within {_RUN_SECONDS} s")


def _runs() -> list[dict]:
    query = "{runsOrError(limit: 20) {... on Runs {results {runId status tags {key value}}}}}"
    request = urllib.request.Request(
        f"{_UI}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]["runsOrError"]["results"]


if __name__ == "__main__":
    main(*sys.argv[1:])
