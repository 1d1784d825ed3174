-- One row per month, model and tenth of the probabilities: do they mean what they say?
select
    date_trunc('month', score_date)::date as month,
    model_version,
    least(floor(probability * 10)::int + 1, 10) as decile,
    count(*) as flights,
    avg(probability) as mean_probability,
    avg(is_disrupted::int) as disrupted_share,
    avg(is_disrupted::int) - avg(probability) as calibration_gap
from scored_outcomes
group by all
