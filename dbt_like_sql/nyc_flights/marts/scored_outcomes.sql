-- One row per scored flight whose outcome is known: what was said, and what happened.
select
    scores.score_date,
    scores.carrier,
    scores.flight,
    scores.origin,
    outcomes.dest,
    scores.scheduled_departure_at,
    scores.probability,
    scores.decision,
    scores.rank,
    features.baseline_disrupted_rate as baseline_probability,
    labels.label as is_disrupted,
    labels.known_on as label_known_on,
    outcomes.is_cancelled,
    outcomes.is_diverted,
    outcomes.arr_delay_minutes,
    outcomes.departure_minute // 60 as departure_hour,
    scores.model_version
from scores
inner join labels
    on
        scores.score_date = labels.labelled_date
        and scores.carrier = labels.carrier
        and scores.flight = labels.flight
        and scores.origin = labels.origin
        and scores.scheduled_departure_at = labels.scheduled_departure_at
inner join outcomes
    on
        scores.carrier = outcomes.carrier
        and scores.flight = outcomes.flight
        and scores.origin = outcomes.origin
        and scores.scheduled_departure_at = outcomes.scheduled_departure_at
left join features
    on
        scores.score_date = features.score_date
        and scores.carrier = features.carrier
        and scores.flight = features.flight
        and scores.origin = features.origin
        and scores.scheduled_departure_at = features.scheduled_departure_at
