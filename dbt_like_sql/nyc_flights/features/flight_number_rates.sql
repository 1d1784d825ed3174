-- One row per flight of the spine: how flights with the same flight number went lately.
with
outcomes as (
    select
        *,
        known_on > score_date - 7 as is_last_7d
    from {{ ref('stg_outcomes') }}
),

rates as (
    select
        score_date,
        carrier,
        flight,
        origin,
        count(*) as flight_number_flight_count_28d,
        avg(is_disrupted::int) as flight_number_disrupted_rate_28d,
        avg(is_disrupted::int) filter (where is_last_7d) as flight_number_disrupted_rate_7d,
        sum(arr_delay_minutes) / nullif(count(arr_delay_minutes), 0) as flight_number_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(count(arr_delay_minutes) filter (where is_last_7d), 0) as flight_number_arr_delay_minutes_7d,
        avg(is_cancelled::int) as flight_number_cancelled_rate_28d
    from outcomes
    group by score_date, carrier, flight, origin
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    coalesce(rates.flight_number_flight_count_28d, 0) as flight_number_flight_count_28d,
    rates.flight_number_disrupted_rate_28d,
    rates.flight_number_disrupted_rate_7d,
    rates.flight_number_arr_delay_minutes_28d,
    rates.flight_number_arr_delay_minutes_7d,
    rates.flight_number_cancelled_rate_28d
from {{ spine() }} as spine
left join rates
    on
        spine.score_date = rates.score_date
        and spine.carrier = rates.carrier
        and spine.flight = rates.flight
        and spine.origin = rates.origin
