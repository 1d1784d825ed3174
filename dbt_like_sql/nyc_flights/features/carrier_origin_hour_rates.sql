-- One row per flight of the spine: how flights of the same airline from the same airport in the same hour went lately.
with
sums as (
    select
        *,
        known_on > score_date - 7 as is_last_7d,
        known_on = score_date as is_last_1d
    from {{ ref('daily_outcomes_by_carrier_origin_hour') }}
),

rates as (
    select
        score_date,
        carrier,
        origin,
        departure_hour,
        sum(flights) as carrier_origin_hour_flight_count_28d,
        sum(disrupted) / sum(flights) as carrier_origin_hour_disrupted_rate_28d,
        sum(disrupted) filter (where is_last_7d)
        / sum(flights) filter (where is_last_7d) as carrier_origin_hour_disrupted_rate_7d,
        sum(arr_delay_minutes) / nullif(sum(arrivals), 0) as carrier_origin_hour_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(sum(arrivals) filter (where is_last_7d), 0) as carrier_origin_hour_arr_delay_minutes_7d,
        sum(cancelled) / sum(flights) as carrier_origin_hour_cancelled_rate_28d
    from sums
    group by score_date, carrier, origin, departure_hour
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    coalesce(rates.carrier_origin_hour_flight_count_28d, 0) as carrier_origin_hour_flight_count_28d,
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
