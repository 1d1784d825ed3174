-- One row per flight of the spine: how flights from all airports went lately.
with
rates as (
    select
        score_date,
        count(*) as network_flight_count_28d,
        avg(is_disrupted::int) as network_disrupted_rate_28d,
        avg(is_disrupted::int) filter (where is_last_7d) as network_disrupted_rate_7d,
        avg(is_disrupted::int) filter (where is_last_1d) as network_disrupted_rate_1d,
        sum(arr_delay_minutes) / nullif(count(arr_delay_minutes), 0) as network_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(count(arr_delay_minutes) filter (where is_last_7d), 0) as network_arr_delay_minutes_7d,
        avg(is_cancelled::int) as network_cancelled_rate_28d,
        avg(is_cancelled::int) filter (where is_last_1d) as network_cancelled_rate_1d,
        sum(dep_delay_minutes) filter (where is_last_1d)
        / nullif(count(dep_delay_minutes) filter (where is_last_1d), 0) as network_dep_delay_minutes_1d,
        avg(is_disrupted::int) filter (where known_at > cutoff_at - interval 3 hour) as network_disrupted_rate_3h,
        avg(is_disrupted::int) filter (where known_at > cutoff_at - interval 6 hour) as network_disrupted_rate_6h
    from {{ ref('stg_outcomes') }}
    group by score_date
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    rates.network_flight_count_28d,
    rates.network_disrupted_rate_28d,
    rates.network_disrupted_rate_7d,
    rates.network_disrupted_rate_1d,
    rates.network_arr_delay_minutes_28d,
    rates.network_arr_delay_minutes_7d,
    rates.network_cancelled_rate_28d,
    rates.network_cancelled_rate_1d,
    rates.network_dep_delay_minutes_1d,
    rates.network_disrupted_rate_3h,
    rates.network_disrupted_rate_6h
from {{ spine() }} as spine
left join rates
    on
        spine.score_date = rates.score_date
