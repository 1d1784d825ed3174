-- One row per flight of the spine: how flights from all airports went lately.
with
sums as (
    select
        *,
        known_on > score_date - 7 as is_last_7d,
        known_on = score_date as is_last_1d
    from {{ ref('daily_outcomes') }}
),

rates as (
    select
        score_date,
        sum(flights) as network_flight_count_28d,
        sum(disrupted) / sum(flights) as network_disrupted_rate_28d,
        sum(disrupted) filter (where is_last_7d) / sum(flights) filter (where is_last_7d) as network_disrupted_rate_7d,
        sum(disrupted) filter (where is_last_1d) / sum(flights) filter (where is_last_1d) as network_disrupted_rate_1d,
        sum(arr_delay_minutes) / nullif(sum(arrivals), 0) as network_arr_delay_minutes_28d,
        sum(arr_delay_minutes) filter (where is_last_7d)
        / nullif(sum(arrivals) filter (where is_last_7d), 0) as network_arr_delay_minutes_7d,
        sum(cancelled) / sum(flights) as network_cancelled_rate_28d,
        sum(cancelled) filter (where is_last_1d) / sum(flights) filter (where is_last_1d) as network_cancelled_rate_1d,
        sum(dep_delay_minutes) filter (where is_last_1d)
        / nullif(sum(departures) filter (where is_last_1d), 0) as network_dep_delay_minutes_1d
    from sums
    group by score_date
),

recent as (
    select
        score_date,
        avg(is_disrupted::int) filter (where known_at > cutoff_at - interval 3 hour) as network_disrupted_rate_3h,
        avg(is_disrupted::int) filter (where known_at > cutoff_at - interval 6 hour) as network_disrupted_rate_6h
    from {{ ref('stg_outcomes') }}
    where known_on = score_date
    group by score_date
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    coalesce(rates.network_flight_count_28d, 0) as network_flight_count_28d,
    rates.network_disrupted_rate_28d,
    rates.network_disrupted_rate_7d,
    rates.network_disrupted_rate_1d,
    rates.network_arr_delay_minutes_28d,
    rates.network_arr_delay_minutes_7d,
    rates.network_cancelled_rate_28d,
    rates.network_cancelled_rate_1d,
    rates.network_dep_delay_minutes_1d,
    recent.network_disrupted_rate_3h,
    recent.network_disrupted_rate_6h
from {{ spine() }} as spine
left join rates
    on
        spine.score_date = rates.score_date
left join recent
    on
        spine.score_date = recent.score_date
