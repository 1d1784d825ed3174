-- One row per flight of the spine: how flights from the same airport in the same hour went lately.
with
sums as (
    select
        *,
        known_on > score_date - 7 as is_last_7d,
        known_on = score_date as is_last_1d
    from {{ ref('daily_outcomes_by_origin_hour') }}
),

rates as (
    select
        score_date,
        origin,
        departure_hour,
        sum(flights) as origin_hour_flight_count_28d,
        sum(disrupted) / sum(flights) as origin_hour_disrupted_rate_28d,
        sum(disrupted) filter (where is_last_7d)
        / sum(flights) filter (where is_last_7d) as origin_hour_disrupted_rate_7d,
        sum(disrupted) filter (where is_last_1d)
        / sum(flights) filter (where is_last_1d) as origin_hour_disrupted_rate_1d,
        sum(arr_delay_minutes) / nullif(sum(arrivals), 0) as origin_hour_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(sum(arrivals) filter (where is_last_7d), 0) as origin_hour_arr_delay_minutes_7d,
        sum(cancelled) / sum(flights) as origin_hour_cancelled_rate_28d,
        sum(cancelled) filter (where is_last_1d)
        / sum(flights) filter (where is_last_1d) as origin_hour_cancelled_rate_1d,
        sum(dep_delay_minutes) filter (where is_last_1d)
        / nullif(sum(departures) filter (where is_last_1d), 0) as origin_hour_dep_delay_minutes_1d
    from sums
    group by score_date, origin, departure_hour
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    coalesce(rates.origin_hour_flight_count_28d, 0) as origin_hour_flight_count_28d,
    rates.origin_hour_disrupted_rate_28d,
    rates.origin_hour_disrupted_rate_7d,
    rates.origin_hour_disrupted_rate_1d,
    rates.origin_hour_arr_delay_minutes_28d,
    rates.origin_hour_arr_delay_minutes_7d,
    rates.origin_hour_cancelled_rate_28d,
    rates.origin_hour_cancelled_rate_1d,
    rates.origin_hour_dep_delay_minutes_1d
from {{ spine() }} as spine
left join rates
    on
        spine.score_date = rates.score_date
        and spine.origin = rates.origin
        and spine.departure_hour = rates.departure_hour
