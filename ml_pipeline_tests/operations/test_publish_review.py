import json
from pathlib import Path

from mlflow import MlflowClient

from ml_pipeline.domain.model_review import review_markdown
from ml_pipeline.operations.publish_review import publish_review
from ml_pipeline.operations.register import plots_folder
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.operations.test_explain_model import champion


def test_review_and_card_lie_beside_the_plots_and_in_mlflow(scored_shop_copy: Site) -> None:
    site, bundle = scored_shop_copy, champion(scored_shop_copy)
    published = publish_review(site, bundle)
    folder = plots_folder(site, bundle.version)
    assert {path.name for path in folder.iterdir()} >= {
        "review.json", "review.md", "model_card.md", "model_card.html", "calibration.png",
    }  # fmt: skip
    assert json.loads((folder / "review.json").read_text()) == published.review.as_json()
    assert (folder / "review.md").read_text() == review_markdown(published.review)
    assert published.card == (folder / "model_card.md").read_text()
    client = MlflowClient(site.tracking_uri, site.tracking_uri)
    number = site.registry.version_of(bundle.version)
    run = client.get_run(client.get_model_version(site.project.name, str(number)).run_id)
    logged = Path(run.info.artifact_uri.removeprefix("file://")) / "review"
    assert {path.name: path.read_bytes() for path in logged.iterdir()} == {
        name: path.read_bytes() for name, path in published.files.items()
    }
    before = {name: path.read_bytes() for name, path in published.files.items()}
    assert {name: path.read_bytes() for name, path in publish_review(site, bundle).files.items()} == before
