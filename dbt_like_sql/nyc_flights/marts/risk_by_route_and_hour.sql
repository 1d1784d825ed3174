-- One row per route and hour of departure: how risky its flights were said to be, and how they turned out.
select
    origin,
    dest,
    departure_hour,
    count(*) as flights,
    count(distinct score_date) as nights,
    avg(probability) as mean_probability,
    avg(is_disrupted::int) as disrupted_share,
    avg(is_cancelled::int) as cancelled_share,
    avg(arr_delay_minutes) as mean_arr_delay_minutes,
    avg(decision::int) as decision_share
from scored_outcomes
group by all
