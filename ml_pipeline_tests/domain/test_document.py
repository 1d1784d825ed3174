from ml_pipeline.domain.document import (
    Bullets,
    Document,
    Figure,
    Paragraph,
    Section,
    Table,
    Tile,
    Tiles,
    document_markdown,
)

DOCUMENT = Document(
    "A model",
    (Paragraph("What it is."), Tiles((Tile("log loss", "0.51", "baseline 0.53"),))),
    (Section("Rows", (Table(("name", "rows"), [("a|b", "1"), ("c\nd", "2")]), Bullets(("one", "two")), Figure("<svg/>", "Seen."))),),
)  # fmt: skip


def test_every_block_has_its_markdown() -> None:
    assert (
        document_markdown(DOCUMENT)
        == """# A model

What it is.

- log loss: **0.51** (baseline 0.53)

## Rows

| name | rows |
| --- | --- |
| a\\|b | 1 |
| c d | 2 |

- one
- two

*Seen.*
"""
    )
