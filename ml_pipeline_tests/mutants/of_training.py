"""Mutants that let a training see what it may not know: features that hold the outcome, and functions that look too far."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from ml_pipeline.contracts.source import load_sources
from ml_pipeline.domain.calibration_choice import fit_calibrator
from ml_pipeline.domain.feature_matrix import FeatureEncoder, fit_encoder
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.domain.splits import Block, Blocks
from ml_pipeline.io.model_bundle import ModelBundle, json_bytes, parquet_bytes, write_bundle
from ml_pipeline.nights import nights_between
from ml_pipeline.operations import train as training
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_model import Fit, learned_from_its_blocks, shuffled_target, training_is_blind
from ml_pipeline.operations.audit_proxies import proxy_alarm
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.bundle_contents import FittedModel, load_scorer
from ml_pipeline.operations.land import land
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import LabelledRows, Split, open_split
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, SHOP_TRAINED_ON, open_test_site
from ml_pipeline_tests.mutants.workshop import Mutant, Workshop, add_feature

_REFUNDS = """
  - name: refunds
    description: What was paid back, with the clock of the order and not with that of the refund.
    owner: team:shop
    key: [order_id]
    known_when: said to be known when the order was placed
    files: refunds/*.csv
    settle_seconds: 0
    bounds: {ends_on: 2024-05-22}
    columns:
      - {name: order_id, type: string, description: Number of the order.}
      - {name: refund_eur, type: number, description: What was paid back.}
      - {name: known_at, type: timestamp, description: When the order was known (UTC).}
"""


def _with_refunds(workshop: Workshop, name: str, value: str) -> Site:
    """The shop with a source whose clock lies: a refund is there the evening before the order is dispatched."""
    site = workshop.copy(name)
    with (site.sql.folder / "sources.yml").open("a", encoding="utf-8") as yml:
        yml.write(_REFUNDS)
    nights = nights_between(site.calendar.first_night, SHOP_LANDED_UNTIL)
    orders = site.tables.read("raw/orders", nights, ["order_id", "known_at"])
    returns = site.tables.read("raw/returns", nights, ["order_id", "refund_eur"])
    paid = returns.filter(pc.is_valid(returns["refund_eur"])).join(orders, "order_id", join_type="inner")
    contract = load_sources(site.sql.folder / "sources.yml")["refunds"]
    folder = site.sql.folder / "deliveries" / "refunds"
    folder.mkdir()
    pa_csv.write_csv(paid.select(contract.column_names).cast(contract.arrow_schema()), folder / "all.csv")
    add_feature(
        site.sql.folder, name,
        f"select spine.score_date, spine.order_id, {value} as {name} from {{{{ spine() }}}} as spine "
        "left join {{ source('refunds', lookback_days=3) }} as refunds "
        "on spine.score_date = refunds.score_date and spine.order_id = refunds.order_id",
    )  # fmt: skip
    opened = open_test_site(site.sql.folder, site.data)
    land(opened, "refunds", nights)
    return opened


def _proxy(name: str, value: str) -> Mutant:
    def held(workshop: Workshop) -> Audit:
        site = _with_refunds(workshop, name, value)
        blocks = training.training_blocks(site, SHOP_TRAINED_ON)
        build_features(site, nights_between(blocks.train.first, blocks.test.last))
        (site.data / "mlflow.db").write_bytes(workshop.mlflow.read_bytes())
        bundle = training.train(site, SHOP_TRAINED_ON).bundle
        return proxy_alarm(site, open_split(site, SHOP_TRAINED_ON), bundle)

    return Mutant(f"a feature: {name}", name, held)


def _fit_on(change: Callable[[LabelledRows], LabelledRows]) -> Fit:
    return lambda site, rows, blocks: training.fit_model(site, change(rows), blocks)


def _standardised(rows: LabelledRows) -> LabelledRows:
    """Numbers less their mean over all blocks: a scaler fitted on everything."""
    table = rows.rows
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            values = table.column(place)
            table = table.set_column(place, field, pc.subtract(values, pc.mean(values)))
    return LabelledRows(table, rows.labels)


@dataclass(frozen=True)
class _TargetEncoder(FeatureEncoder):
    """Writes over its first column the mean label of the same product on the same night, over the rows of all blocks."""

    rates: Any = None

    def transform(self, rows: pa.Table) -> NDArray[np.float32]:
        matrix = super().transform(rows)
        frame = rows.select(["score_date", "product_code"]).to_pandas()
        matrix[:, self.names.index("quantity")] = frame.merge(self.rates, how="left")["label"]
        return matrix


def _target_encoded(site: Site, rows: LabelledRows, blocks: Blocks) -> FittedModel:
    frame = rows.rows.select(["score_date", "product_code"]).to_pandas().assign(label=rows.labels)
    rates = frame.groupby(["score_date", "product_code"], as_index=False)["label"].mean()

    def encoder_on_everything(train_rows: pa.Table, features: Any) -> FeatureEncoder:
        return _TargetEncoder(fit_encoder(train_rows, features).columns, rates)

    return _with("fit_encoder", encoder_on_everything, site, rows, blocks)


def _encoder_on_everything(site: Site, rows: LabelledRows, blocks: Blocks) -> FittedModel:
    return _with("fit_encoder", lambda _, features: fit_encoder(rows.rows, features), site, rows, blocks)


def _with(name: str, stand_in: Any, site: Site, rows: LabelledRows, blocks: Blocks) -> FittedModel:
    sound = getattr(training, name)
    setattr(training, name, stand_in)
    try:
        return training.fit_model(site, rows, blocks)
    finally:
        setattr(training, name, sound)


def _trained_on_all_blocks(site: Site, rows: LabelledRows, blocks: Blocks) -> FittedModel:
    return training.fit_model(site, rows, replace(blocks, train=Block("train", blocks.train.first, blocks.test.last)))


def _stopped_on_the_test_block(site: Site, rows: LabelledRows, blocks: Blocks) -> FittedModel:
    return training.fit_model(site, rows, replace(blocks, early_stop=blocks.test))


def _of_fit(name: str, fit: Fit, audit: Callable[..., Audit], word: str) -> Mutant:
    return Mutant(f"a training: {name}", word, lambda workshop: audit(workshop.sound, workshop.split, fit=fit))


def _of_bundle(name: str, files: Callable[[Site, Split, ModelBundle], dict[str, bytes]], word: str) -> Mutant:
    def held(workshop: Workshop) -> Audit:
        site, split, bundle = workshop.sound, workshop.split, workshop.bundle
        own = {
            name: (bundle.folder / name).read_bytes() for name in bundle.manifest["files"] if name != "golden.parquet"
        }
        facts = {name: fact for name, fact in bundle.manifest.items() if name != "files"}
        mutant = write_bundle(workshop.folder / "models", own | files(site, split, bundle), facts, label="mutant")
        return learned_from_its_blocks(site, split, mutant)

    return Mutant(f"a bundle: {name}", word, held)


def _calibrated_on_test(site: Site, split: Split, bundle: ModelBundle) -> dict[str, bytes]:
    scorer, test = load_scorer(bundle), split.rows.block(split.blocks.test)
    scores = raw_scores(scorer, scorer.encoder.transform(test.rows), threads=site.threads)
    return {"calibrator.json": json_bytes(fit_calibrator(scores, test.labels, test.nights).as_json())}


def _encoded_with_a_later_level(site: Site, split: Split, bundle: ModelBundle) -> dict[str, bytes]:
    columns = bundle.json("feature_columns.json")
    first = next(column for column in columns if column["levels"])
    first["levels"].append("zzz")
    return {"feature_columns.json": json_bytes(columns)}


def _referring_to_test(site: Site, split: Split, bundle: ModelBundle) -> dict[str, bytes]:
    rows = split.rows.block(split.blocks.test).rows
    return {"reference.parquet": parquet_bytes(rows.select(list(load_scorer(bundle).encoder.names)))}


MUTANTS = (
    _proxy("label_a_day_early", "refunds.refund_eur is not null"),
    _proxy("missing_unless_it_came_back", "refunds.refund_eur"),
    _proxy("filled_for_a_few_that_came_back", "case when refunds.refund_eur > 150 then spine.quantity end"),
    _of_fit("a scaler fitted on everything", _fit_on(_standardised), training_is_blind, "the trees"),
    _of_fit("an encoder fitted on everything", _encoder_on_everything, training_is_blind, "the encoder"),
    _of_fit("stopped early on the test block", _stopped_on_the_test_block, training_is_blind, "the trees"),
    _of_fit("trained on all blocks", _trained_on_all_blocks, shuffled_target, "ROC AUC"),
    _of_fit("target-encoded on everything", _target_encoded, shuffled_target, "ROC AUC"),
    _of_bundle("calibrated on the test block", _calibrated_on_test, "the calibrator"),
    _of_bundle("encoded with a later level", _encoded_with_a_later_level, "product_code"),
    _of_bundle("refers to the test block", _referring_to_test, "reference rows"),
)
