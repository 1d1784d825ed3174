-- One row per flight of the spine: how flights of the same airline went lately.
with
rates as (
    select
        score_date,
        carrier,
        count(*) as carrier_flight_count_28d,
        avg(is_disrupted::int) as carrier_disrupted_rate_28d,
        avg(is_disrupted::int) filter (where is_last_7d) as carrier_disrupted_rate_7d,
        avg(is_disrupted::int) filter (where is_last_1d) as carrier_disrupted_rate_1d,
        sum(arr_delay_minutes) / nullif(count(arr_delay_minutes), 0) as carrier_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(count(arr_delay_minutes) filter (where is_last_7d), 0) as carrier_arr_delay_minutes_7d,
        avg(is_cancelled::int) as carrier_cancelled_rate_28d,
        avg(is_cancelled::int) filter (where is_last_1d) as carrier_cancelled_rate_1d,
        sum(dep_delay_minutes) filter (where is_last_1d)
        / nullif(count(dep_delay_minutes) filter (where is_last_1d), 0) as carrier_dep_delay_minutes_1d
    from {{ ref('stg_outcomes') }}
    group by score_date, carrier
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    rates.carrier_flight_count_28d,
    rates.carrier_disrupted_rate_28d,
    rates.carrier_disrupted_rate_7d,
    rates.carrier_disrupted_rate_1d,
    rates.carrier_arr_delay_minutes_28d,
    rates.carrier_arr_delay_minutes_7d,
    rates.carrier_cancelled_rate_28d,
    rates.carrier_cancelled_rate_1d,
    rates.carrier_dep_delay_minutes_1d
from {{ spine() }} as spine
left join rates
    on
        spine.score_date = rates.score_date
        and spine.carrier = rates.carrier
