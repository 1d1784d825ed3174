-- One row per flight of the spine: how flights to the same destination went lately.
with
sums as (
    select
        *,
        known_on > score_date - 7 as is_last_7d,
        known_on = score_date as is_last_1d
    from {{ ref('daily_outcomes_by_dest') }}
),

rates as (
    select
        score_date,
        dest,
        sum(flights) as dest_flight_count_28d,
        sum(disrupted) / sum(flights) as dest_disrupted_rate_28d,
        sum(disrupted) filter (where is_last_7d) / sum(flights) filter (where is_last_7d) as dest_disrupted_rate_7d,
        sum(disrupted) filter (where is_last_1d) / sum(flights) filter (where is_last_1d) as dest_disrupted_rate_1d,
        sum(arr_delay_minutes) / nullif(sum(arrivals), 0) as dest_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(sum(arrivals) filter (where is_last_7d), 0) as dest_arr_delay_minutes_7d,
        sum(cancelled) / sum(flights) as dest_cancelled_rate_28d,
        sum(cancelled) filter (where is_last_1d) / sum(flights) filter (where is_last_1d) as dest_cancelled_rate_1d,
        sum(dep_delay_minutes) filter (where is_last_1d)
        / nullif(sum(departures) filter (where is_last_1d), 0) as dest_dep_delay_minutes_1d
    from sums
    group by score_date, dest
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    coalesce(rates.dest_flight_count_28d, 0) as dest_flight_count_28d,
    rates.dest_disrupted_rate_28d,
    rates.dest_disrupted_rate_7d,
    rates.dest_disrupted_rate_1d,
    rates.dest_arr_delay_minutes_28d,
    rates.dest_arr_delay_minutes_7d,
    rates.dest_cancelled_rate_28d,
    rates.dest_cancelled_rate_1d,
    rates.dest_dep_delay_minutes_1d
from {{ spine() }} as spine
left join rates
    on
        spine.score_date = rates.score_date
        and spine.dest = rates.dest
