"""The script in a real browser: what it reads out is what the tables say, and nothing leaves the page."""

import base64
import hashlib
import re
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from ml_pipeline.domain.replay_page import replay_page
from ml_pipeline.domain.replay_page_script import script_source
from ml_pipeline_tests.domain.synthetic_replay import night_at, synthetic_report


def test_the_policy_names_the_very_script_of_the_page() -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", replay_page(synthetic_report(30)), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert script_source() == f"'sha256-{digest}'"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_a_reader_sees_the_numbers_of_the_night_under_the_pointer(tmp_path) -> None:
    report = synthetic_report(100)
    file = tmp_path / "replay.html"
    file.write_text(replay_page(report))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())

        page.locator("#night").fill("48")
        rows = page.locator("#readout-rows tr").all_inner_texts()
        night = report.clean[2].nights[48]
        assert f"{night_at(48)}" in page.locator("#night-name").inner_text()
        assert f"{night.log_loss:.4f}" in rows[2]
        assert "retrain" in rows[2]
        assert night.reasons in page.locator("#readout-reasons").inner_text()

        page.locator("#night").fill("50")
        # Nobody asked for anything: the reasons of the policy in focus are shown.
        assert report.clean[2].nights[50].reasons in page.locator("#readout-reasons").inner_text()

        chart = page.locator("#year svg.year").nth(1)
        width = (chart.bounding_box() or {})["width"]
        chart.hover(position={"x": width * 0.705, "y": 90})
        expect(page.locator("#night-name")).to_have_text(str(night_at(70)))

        page.locator("label", has_text="Never retrain").click()
        expect(page.locator("#decisions details:visible")).to_have_count(1)

        page.goto(f"{file.as_uri()}#m-2-48")
        expect(page.locator("#night-name")).to_have_text(str(night_at(48)))

        page.goto(f"{file.as_uri()}#n-3-7")
        # A link opens what it leads to, even if another policy is chosen.
        expect(page.locator("#n-3-7")).to_be_visible()

        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        browser.close()
    assert said == []
    assert {url.split("#")[0] for url in asked} == {file.as_uri()}
