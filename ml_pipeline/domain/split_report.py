"""What the blocks of a training hold: nights, rows, labels, and how many of its entities a model had met before."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ml_pipeline.domain.document import Block, Paragraph, Table, blocks_markdown
from ml_pipeline.nights import Night


@dataclass(frozen=True)
class BlockReport:
    """One block.

    Attributes:
        purpose: of the block; ``first`` and ``last`` are its nights, ``nights`` how many these are.
        rows: all rows of its nights; ``labelled_rows`` of them have a known label and are used, the others are not.
        positive_share: of the labelled rows; None if there is none.
        distinct: number of values of each column of the entity, in labelled rows.
        entities: number of distinct entities in them; None if the key has nothing but times.
        met_entity_share: share of these that the train block has too; None without entities.
        met_row_share: share of the labelled rows whose entity the train block has too.
        early_labels: rows whose label was known at their own night's cutoff already.
        late_labels: rows whose label was not known ``label_horizon_nights`` after their night, or not at all.
        overdue_labels: labelled rows whose label was not known when the first night of the next block was scored (of the
            test block: at the cutoff of the training).
        latest_label_known_at: of the labelled rows, UTC.
    """

    purpose: str
    first: Night
    last: Night
    nights: int
    rows: int
    labelled_rows: int
    positive_share: float | None
    distinct: dict[str, int]
    entities: int | None
    met_entity_share: float | None
    met_row_share: float | None
    early_labels: int
    late_labels: int
    overdue_labels: int
    latest_label_known_at: datetime | None

    @property
    def unlabelled_rows(self) -> int:
        return self.rows - self.labelled_rows


@dataclass(frozen=True)
class SplitReport:
    """A split, block by block. ``entity`` is the entity key without its times: what comes back from night to night."""

    trained_on: Night
    cutoff_at: datetime
    gap_nights: int
    label_horizon_nights: int
    entity: tuple[str, ...]
    blocks: tuple[BlockReport, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON: nights and instants as ISO text."""
        content = asdict(self)
        content |= {"trained_on": str(self.trained_on), "cutoff_at": self.cutoff_at.isoformat()}
        for block in content["blocks"]:
            latest = block["latest_label_known_at"]
            block |= {"first": str(block["first"]), "last": str(block["last"])}
            block["latest_label_known_at"] = latest and latest.isoformat()
        return content


def split_report_from_json(content: dict[str, Any]) -> SplitReport:
    """The inverse of ``SplitReport.as_json``."""
    blocks = []
    for block in content["blocks"]:
        latest = block["latest_label_known_at"]
        times = {
            "first": Night.fromisoformat(block["first"]), "last": Night.fromisoformat(block["last"]),
            "latest_label_known_at": latest and datetime.fromisoformat(latest),
        }  # fmt: skip
        blocks.append(BlockReport(**(block | times)))
    return SplitReport(
        Night.fromisoformat(content["trained_on"]), datetime.fromisoformat(content["cutoff_at"]), content["gap_nights"],
        content["label_horizon_nights"], tuple(content["entity"]), tuple(blocks),
    )  # fmt: skip


def split_markdown(split: SplitReport) -> str:
    """What ``split_content`` holds, as Markdown."""
    return blocks_markdown(split_content(split))


def split_content(split: SplitReport) -> tuple[Block, ...]:
    """Two tables: nights, rows and labels of each block; and its entities, with the share that a model had met before."""
    nights = Table(
        ("block", "first", "last", "rows", "without label", "positive", "latest label (UTC)", "late", "overdue"),
        [
            (block.purpose, str(block.first), str(block.last), f"{block.labelled_rows:,}", f"{block.unlabelled_rows:,}",
             _percent(block.positive_share), f"{block.latest_label_known_at:%Y-%m-%d %H:%M}" if block.latest_label_known_at else "",
             f"{block.late_labels:,}", f"{block.overdue_labels:,}")
            for block in split.blocks
        ],
    )  # fmt: skip
    entities = Table(
        ("block", *split.entity, "entities", "also in train", "rows of those"),
        [
            (block.purpose, *(f"{block.distinct[name]:,}" for name in split.entity), f"{block.entities:,}",
             _percent(block.met_entity_share), _percent(block.met_row_share))
            for block in split.blocks if block.entities is not None
        ],
    )  # fmt: skip
    explained = Paragraph(
        f"Rows have a label that was known by {split.cutoff_at:%Y-%m-%d %H:%M} UTC, the cutoff of {split.trained_on}; rows "
        f"without one are not used. Blocks are parted by {split.gap_nights} unused nights. A label is late if it was not "
        f"known {split.label_horizon_nights} nights after its row's night, overdue if it was not known when the first night "
        "of the next block was scored."
    )
    no_entity = Paragraph("The key of a row has nothing but times: no entity comes back.")
    return (nights, explained, entities if split.entity else no_entity)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
