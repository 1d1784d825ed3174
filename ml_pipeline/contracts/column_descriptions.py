"""What the columns of the pipeline's own tables mean: one word, one meaning, said once for Dagster and for analysts."""

from collections.abc import Iterable

SCORES = {
    "cutoff_at": "The instant at which the night stopped knowing (UTC).",
    "score": "What the trees say, before calibration.",
    "probability": "The calibrated probability.",
    "rank": "Rank within the night, 1 for the highest probability.",
    "decision": "Whether the probability reaches the threshold.",
    "threshold": "The probability from which acting is cheaper, by the costs of the project.",
    "reason_1": "The feature that moved the score most, in words.",
    "reason_2": "The second such feature.",
    "reason_3": "The third such feature.",
    "served_by": "Who answered: champion, previous_champion or baseline; challenger in the shadow.",
    "model_name": "Name in the registry.",
    "model_version": "The model bundle.",
    "feature_set_version": "The version of the features.",
    "backfill_policy": "Which model a backfilled night is given.",
}

_COLUMNS = {
    **SCORES,
    "score_date": "The night (partition).",
    "known_on": "The night that landed or learned it.",
    # publications
    "revision": "The commit of scores that published it.",
    "published_at": "When that commit was made (UTC).",
    "replaced_at": "When a later commit published the night again (UTC); missing for what stands.",
    "revision_before": "The commit that had published the night before it.",
    "change": "changed, added or removed.",
    **{
        f"{name}_{when}": f"{SCORES[name]} As of the revision {then}."
        for name in ("probability", "decision", "rank", "model_version", "served_by", "backfill_policy")
        for when, then in (("before", "before"), ("after", "itself"))
    },
    # labels
    "labelled_date": "The night that the label is about.",
    "label_known_at": "When the outcome was known (UTC).",
    "label": "The outcome.",
    # performance, backtest
    "first_scored_night": "The first night that is judged.",
    "last_scored_night": "The last night that is judged.",
    "window_nights": "Nights that are looked at together, ending with the last.",
    "subject": "Who is judged: the model, the baseline or a simpler model.",
    "rows_scored": "Rows that were scored.",
    "rows": "Rows that the numbers are made from.",
    "coverage": "Share of the scored rows whose outcome is known.",
    "positive_share": "Share of the rows whose outcome came true.",
    "mean_probability": "Mean of the probabilities.",
    "log_loss": "Mean negative log likelihood; lower is better.",
    "brier": "Mean squared error of the probabilities; lower is better.",
    "roc_auc": "Area under the ROC curve; missing where only one outcome occurred.",
    "average_precision": "Area under the precision-recall curve; missing where only one outcome occurred.",
    "nights_scored": "Nights whose rows are taken together.",
    "part": "What is looked at: all rows, a bin of equal mass, or a value of a slice.",
    "observed_share": "Share of the rows whose outcome came true.",
    "gap": "Mean probability minus observed share.",
    "calibration_error": "Mean distance between said and happened, over bins of equal mass.",
    "mean_cost": "Cost of the decisions a row, in the unit of the project's costs.",
    "is_pooled": "Whether all months are taken together.",
    "metric": "What is measured.",
    "value": "The measured value.",
    "value_low": "Lower end of its interval, from resampled nights.",
    "value_high": "Upper end of its interval.",
    "model_gain": "How much better the model is than the subject.",
    "model_gain_low": "Lower end of the interval of the gain.",
    "model_gain_high": "Upper end of the interval of the gain.",
    # drift, retraining
    "feature": "Name of the feature.",
    "missing_share": "Share of the rows without a value.",
    "psi": "Population stability index against the training rows.",
    "effect_training": "Divergence of the window from the training rows, in bits, less what chance would show.",
    "effect_trailing": "The same from the nights before the window, which stand for the season.",
    "finding": "What was found: of calibration what is wrong, if anything; of drift: drift, season (as lately, other than in training), stable or missing evidence.",
    "is_drifted": "Whether the last windows lie apart from the training rows and from the nights before.",
    "fault": "What is wrong with the feature's data tonight, in words; missing if nothing is.",
    "evidently_psi": "The index by Evidently, on its nights.",
    "agrees_with_evidently": "Whether both indices lie on the same side of the project's limit, on Evidently's nights.",
    "drifted_share": "Share of the measured features that have drifted; missing if none could be measured.",
    "cost_saving": "Share of the baseline's cost that the model saves on its own matured nights; missing with too few.",
    "gap_low": "Lower end of the interval of the calibration gap, said less happened.",
    "gap_high": "Upper end of it.",
    "matured_rows": "Rows whose labels the night was the first to judge.",
    "is_bad_data": "Whether something blocking was found wrong with the night's data.",
    "last_trained": "The night of the last training before.",
    "rejected_in_a_row": "Challengers refused since the last that was promoted.",
    "verdict": "What came of it.",
    "evidence_id": "Names the nights that speak for the verdict; nights that asked for an act once do not speak again.",
    "reasons": "Why, in words.",
    # late data
    "source": "Name of the source.",
    "kind": "late or correction.",
    "nights_late": "How many nights after it was expected; of a correction, after the version before.",
    "first_affected_night": "The first earlier night that could have known it.",
    "last_affected_night": "The last such night.",
    "nights_checked": "Earlier nights that were built again.",
    "nights_changed": "Those of them that would have been other.",
    "affected_night": "The earlier night that would have been other.",
    "rows_changed": "Its rows of which a feature would have been other.",
    "features_changed": "Features that would have been other.",
    "content_hash": "Hash of the features as they were known.",
    "content_hash_in_hindsight": "Hash of the features had the rows come in time.",
    # quarantine
    "row": "Position of the row in its delivery.",
    "rule": "The rule of the contract that it broke.",
    "column": "The column that broke it.",
    "content": "The row itself, as JSON.",
    # promotions
    "number": "Position in the ledger.",
    "recorded_at": "When the verdict was recorded (UTC).",
    "challenger": "The model that wanted to serve.",
    "champion_before": "The model that served before.",
    "judged_on": "The night as of which the gate judged; missing for a promotion by hand.",
    "effective_from": "The first night that it serves.",
    "until": "The last night that it serves, if that was said.",
    "withdrawn": "The versions that a rollback withdrew.",
    "is_promoted": "Whether the challenger became champion.",
    "numbers": "What the gate measured, as JSON.",
    # expectations
    "data_asset": "The published table that was judged.",
    "expectation": "What was expected, by name.",
    "severity": "blocking: fails the run, or calls a person; warning, advisory: is shown; none.",
    "observed": "What was found.",
    "lower": "The least that is expected; missing for none.",
    "upper": "The most that is expected; missing for none.",
    "nights_of_history": "Earlier nights that the bounds are made from.",
    "is_met": "Whether it holds.",
}


def described(columns: Iterable[str]) -> dict[str, str]:
    """Descriptions of those of ``columns`` that are the pipeline's own."""
    return {name: _COLUMNS[name] for name in columns if name in _COLUMNS}
