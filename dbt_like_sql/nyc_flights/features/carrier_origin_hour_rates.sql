-- One row per flight of the spine: how flights of the same airline from the same airport in the same hour went lately.
with
rates as (
    select
        score_date,
        carrier,
        origin,
        departure_hour,
        count(*) as carrier_origin_hour_flight_count_28d,
        avg(is_disrupted::int) as carrier_origin_hour_disrupted_rate_28d,
        avg(is_disrupted::int) filter (where is_last_7d) as carrier_origin_hour_disrupted_rate_7d,
        sum(arr_delay_minutes) / nullif(count(arr_delay_minutes), 0) as carrier_origin_hour_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(count(arr_delay_minutes) filter (where is_last_7d), 0) as carrier_origin_hour_arr_delay_minutes_7d,
        avg(is_cancelled::int) as carrier_origin_hour_cancelled_rate_28d
    from {{ ref('stg_outcomes') }}
    group by score_date, carrier, origin, departure_hour
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    rates.carrier_origin_hour_flight_count_28d,
    rates.carrier_origin_hour_disrupted_rate_28d,
    rates.carrier_origin_hour_disrupted_rate_7d,
    rates.carrier_origin_hour_arr_delay_minutes_28d,
    rates.carrier_origin_hour_arr_delay_minutes_7d,
    rates.carrier_origin_hour_cancelled_rate_28d
from {{ spine() }} as spine
left join rates
    on
        spine.score_date = rates.score_date
        and spine.carrier = rates.carrier
        and spine.origin = rates.origin
        and spine.departure_hour = rates.departure_hour
