"""Writes what is found out about a model for people: its review, and the card with review and lineage."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.domain.document import document_markdown
from ml_pipeline.domain.document_html import document_html
from ml_pipeline.domain.model_review import ModelReview, review_markdown
from ml_pipeline.io.model_bundle import ModelBundle, json_bytes
from ml_pipeline.operations.explain_model import review_model
from ml_pipeline.operations.model_cards import full_card
from ml_pipeline.operations.register import plots_folder
from ml_pipeline.operations.site import Site

_REVIEWED = "review"


@dataclass(frozen=True)
class PublishedReview:
    """The review of a bundle, the text of its whole card, and where both lie by file name."""

    review: ModelReview
    card: str
    files: Mapping[str, Path]


def publish_review(site: Site, bundle: ModelBundle) -> PublishedReview:
    """Review ``bundle``, write review and card beside its plots, and log them to its MLflow run.

    The same bundle on the same tables gives the same files; they are written anew each time.

    Raises:
        LookupError: features or labels of its test block are gone, or it was never logged.
        BundleError: the bundle is damaged.
    """
    review = review_model(site, bundle)
    card = full_card(site, bundle, review)
    contents = {
        "review.json": json_bytes(review.as_json()),
        "review.md": review_markdown(review).encode(),
        "model_card.md": document_markdown(card).encode(),
        "model_card.html": document_html(card).encode(),
    }
    folder = plots_folder(site, bundle.version)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    files = {name: folder / name for name in contents}
    site.registry.add_files(bundle.version, _REVIEWED, sorted(files.values()))
    site.progress(f"reviewed {bundle.version}: {files['model_card.html']}")
    return PublishedReview(review, contents["model_card.md"].decode(), files)
