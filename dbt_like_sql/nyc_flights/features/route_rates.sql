-- One row per flight of the spine: how flights on the same route went lately.
with
rates as (
    select
        score_date,
        origin,
        dest,
        count(*) as route_flight_count_28d,
        avg(is_disrupted::int) as route_disrupted_rate_28d,
        avg(is_disrupted::int) filter (where is_last_7d) as route_disrupted_rate_7d,
        sum(arr_delay_minutes) / nullif(count(arr_delay_minutes), 0) as route_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(count(arr_delay_minutes) filter (where is_last_7d), 0) as route_arr_delay_minutes_7d,
        avg(is_cancelled::int) as route_cancelled_rate_28d
    from {{ ref('stg_outcomes') }}
    group by score_date, origin, dest
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    rates.route_flight_count_28d,
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
