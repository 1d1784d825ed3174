"""The page is parsed by the standard library's parser, which knows nothing of what wrote it."""

from html.parser import HTMLParser

from ml_pipeline.domain.document import Bullets, Document, Figure, Paragraph, Section, Table, Tile, Tiles
from ml_pipeline.domain.document_html import document_html

HOSTILE = '<script>alert(1)</script><img src="https://example.org/x" onerror="x">&`code<b>`**bold**'
VOID = {"meta", "line", "circle", "rect", "polyline"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(text: str = "plain", svg: str = "<svg></svg>") -> str:
    return document_html(Document(text, (Paragraph(text), Tiles((Tile(text, text, text),))), (
        Section(text, (Table((text, "n"), [(text, "1,234"), (text, "+0.1 (+0.0 to +0.2)")]), Bullets((text,)), Figure(svg, text))),
    )))  # fmt: skip


def test_hostile_text_stays_text_in_every_block() -> None:
    parsed = Page(page(HOSTILE))
    assert {tag for tag, _ in parsed.tags} & {"script", "img", "b"} == {"b"}, "the tile's own number is set in b"
    assert sum(tag == "b" for tag, _ in parsed.tags) == 1
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    # Title, heading, paragraph, three in the tile, link, section, head and two cells, bullet, caption.
    assert parsed.text.count("<script>alert(1)</script>") == 13
    assert parsed.open == []


def test_nothing_is_fetched_from_anywhere() -> None:
    text = page()
    parsed = Page(text)
    assert not [tag for tag, _ in parsed.tags if tag in {"script", "link", "img", "iframe", "object", "embed", "form"}]
    links = [attributes["href"] for tag, attributes in parsed.tags if tag == "a"]
    assert links == ["#s1"]
    assert "http" not in text.replace("http-equiv", "")
    assert "@import" not in text
    assert "url(" not in text
    (policy,) = [one["content"] for tag, one in parsed.tags if tag == "meta" and one.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_marks_of_a_paragraph_are_shown_and_columns_of_numbers_stand_right() -> None:
    text = page("`a_b` and **much**")
    assert "<p><code>a_b</code> and <strong>much</strong></p>" in text
    assert '<th class="n">n</th>' in text
    assert '<td class="n">1,234</td>' in text
    assert "<td>`a_b`" in text, "cells are plain text"


def test_a_drawing_is_shown_as_it_is_and_equal_documents_are_equal_bytes() -> None:
    drawing = '<svg viewBox="0 0 1 1"><circle r="1"/></svg>'
    assert drawing in page(svg=drawing)
    assert page() == page()
