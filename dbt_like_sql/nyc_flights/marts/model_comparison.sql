-- One row per period (night, or week from Monday) and model: the model beside the baseline on the same flights.
with
judged as (
    select
        score_date,
        model_version,
        is_disrupted::int as outcome,
        -- A probability of 0 or 1 would make one surprise infinitely costly.
        least(greatest(probability, 1e-6), 1 - 1e-6) as probability,
        least(greatest(baseline_probability, 1e-6), 1 - 1e-6) as baseline_probability
    from scored_outcomes
    where baseline_probability is not null
),

periods as (
    select
        'night' as period,
        score_date as first_night,
        *
    from judged
    union all
    select
        'week' as period,
        date_trunc('week', score_date)::date as first_night,
        *
    from judged
)

select
    period,
    first_night,
    model_version,
    count(*) as flights,
    avg(outcome) as disrupted_share,
    avg(-ln(if(outcome = 1, probability, 1 - probability))) as model_log_loss,
    avg(-ln(if(outcome = 1, baseline_probability, 1 - baseline_probability))) as baseline_log_loss,
    avg((probability - outcome) ** 2) as model_brier,
    avg((baseline_probability - outcome) ** 2) as baseline_brier
from periods
group by period, first_night, model_version
