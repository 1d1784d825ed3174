import re
from html.parser import HTMLParser
from pathlib import Path

from ml_pipeline.contracts.expectations import Bound, Judgement
from ml_pipeline.io.data_docs import write_data_docs
from ml_pipeline.io.expectation_suites import SuiteVerdict

HOSTILE = "<script>alert(1)</script>"
MET = Judgement(Bound("mean", "x", 0.0, 1.0, "warning", 28), 0.5)
BROKEN = Judgement(Bound("mean", HOSTILE, 0.0, 1.0, "blocking", 28), 7.25)
PAGES = {
    "scores": [
        (MET, SuiteVerdict(MET.bound, True, 0.5, None)),
        (BROKEN, SuiteVerdict(BROKEN.bound, False, None, f"cannot {HOSTILE}")),
    ],
    "features": [(MET, None)],
}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_pages_ask_no_network_for_anything_and_run_nothing(tmp_path: Path) -> None:
    index = write_data_docs(tmp_path / "2024-05-05", "2024-05-05", PAGES)
    assert sorted(path.name for path in index.parent.iterdir()) == ["features.html", "index.html", "scores.html"]
    for page in index.parent.iterdir():
        tags = Tags()
        tags.feed(page.read_text(encoding="utf-8"))
        assert not {tag for tag, _ in tags.found} & {"script", "img", "link", "iframe", "object"}
        assert not [attrs for _, attrs in tags.found if any(name.startswith("on") or name == "src" for name in attrs)]
        assert not re.search(r"//|url\(|@import", page.read_text(encoding="utf-8"))
        policies = [attrs["content"] for tag, attrs in tags.found if tag == "meta" and "content" in attrs]
        assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
        links = [attrs["href"] for tag, attrs in tags.found if tag == "a"]
        assert all((index.parent / str(link)).is_file() for link in links)
        assert links


def test_what_is_not_met_comes_first_with_its_numbers_and_the_second_verdict(tmp_path: Path) -> None:
    write_data_docs(tmp_path / "docs", "2024-05-05", PAGES)
    page = (tmp_path / "docs" / "scores.html").read_text(encoding="utf-8")
    assert page.index("NOT MET") < page.index("x mean")
    for words in ("7.25", "error: cannot &lt;script&gt;", "2024-05-05", "blocking", 'class="error"'):
        assert words in page, words
    assert "not asked" in (tmp_path / "docs" / "features.html").read_text(encoding="utf-8")
    assert (
        '<span class="blocking">NOT MET</span></td><td><a href="scores.html">'
        in (tmp_path / "docs" / "index.html").read_text()
    )


def test_the_same_again_replaces_the_pages_with_the_same_bytes(tmp_path: Path) -> None:
    index = write_data_docs(tmp_path / "docs", "2024-05-05", PAGES)
    before = {path.name: path.read_bytes() for path in index.parent.iterdir()}
    (index.parent / "old.html").write_text("of an earlier run")
    write_data_docs(tmp_path / "docs", "2024-05-05", PAGES)
    assert {path.name: path.read_bytes() for path in index.parent.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["docs"]
