-- One row per flight of the spine: how the same flight number went the last time that is known.
with
ranked as (
    select
        *,
        row_number() over (
            partition by score_date, carrier, flight, origin order by scheduled_departure_at desc
        ) as recency_rank
    from {{ ref('stg_outcomes') }}
),

latest as (
    select * from ranked
    where recency_rank = 1
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    latest.is_disrupted as last_flight_is_disrupted,
    latest.arr_delay_minutes as last_flight_arr_delay_minutes,
    date_diff('hour', latest.scheduled_departure_at, spine.scheduled_departure_at) as last_flight_age_hours
from {{ spine() }} as spine
left join latest
    on
        spine.score_date = latest.score_date
        and spine.carrier = latest.carrier
        and spine.flight = latest.flight
        and spine.origin = latest.origin
