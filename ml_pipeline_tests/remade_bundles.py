"""Other bundles of a trained one, without training again."""

from collections.abc import Mapping

from ml_pipeline.io.model_bundle import ModelBundle, write_bundle


def remade(bundle: ModelBundle, files: Mapping[str, bytes | None] | None = None, **facts: object) -> ModelBundle:
    """A whole bundle beside ``bundle``, with other ``files`` (None leaves one out) and other ``facts`` in its manifest."""
    contents = {name: bundle.content(name) for name in bundle.manifest["files"]} | dict(files or {})
    kept = {name: content for name, content in contents.items() if content is not None}
    known = {name: value for name, value in bundle.manifest.items() if name != "files"}
    return write_bundle(bundle.folder.parent, kept, known | facts, label=str(known["trained_on"]))
