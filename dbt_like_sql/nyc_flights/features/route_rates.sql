-- One row per flight of the spine: how flights on the same route went lately.
with
sums as (
    select
        *,
        known_on > score_date - 7 as is_last_7d,
        known_on = score_date as is_last_1d
    from {{ ref('daily_outcomes_by_route') }}
),

rates as (
    select
        score_date,
        origin,
        dest,
        sum(flights) as route_flight_count_28d,
        sum(disrupted) / sum(flights) as route_disrupted_rate_28d,
        sum(disrupted) filter (where is_last_7d) / sum(flights) filter (where is_last_7d) as route_disrupted_rate_7d,
        sum(arr_delay_minutes) / nullif(sum(arrivals), 0) as route_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(sum(arrivals) filter (where is_last_7d), 0) as route_arr_delay_minutes_7d,
        sum(cancelled) / sum(flights) as route_cancelled_rate_28d
    from sums
    group by score_date, origin, dest
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    coalesce(rates.route_flight_count_28d, 0) as route_flight_count_28d,
    rates.route_disrupted_rate_28d,
    rates.route_disrupted_rate_7d,
    rates.route_arr_delay_minutes_28d,
    rates.route_arr_delay_minutes_7d,
    rates.route_cancelled_rate_28d
from {{ spine() }} as spine
left join rates
    on
        spine.score_date = rates.score_date
        and spine.origin = rates.origin
        and spine.dest = rates.dest
