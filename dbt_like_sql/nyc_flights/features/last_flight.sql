-- One row per flight of the spine: how the same flight number went the last time that is known.
with
outcomes as (
    select * from {{ ref('stg_outcomes') }}
),

latest as (
    select
        score_date,
        carrier,
        flight,
        origin,
        max(scheduled_departure_at) as scheduled_departure_at
    from outcomes
    group by score_date, carrier, flight, origin
),

last_flights as (
    select
        outcomes.score_date,
        outcomes.carrier,
        outcomes.flight,
        outcomes.origin,
        outcomes.scheduled_departure_at,
        outcomes.is_disrupted,
        outcomes.arr_delay_minutes
    from outcomes
    inner join latest using (score_date, carrier, flight, origin, scheduled_departure_at)
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    last_flights.is_disrupted as last_flight_is_disrupted,
    last_flights.arr_delay_minutes as last_flight_arr_delay_minutes,
    date_diff('hour', last_flights.scheduled_departure_at, spine.scheduled_departure_at) as last_flight_age_hours
from {{ spine() }} as spine
left join last_flights
    on
        spine.score_date = last_flights.score_date
        and spine.carrier = last_flights.carrier
        and spine.flight = last_flights.flight
        and spine.origin = last_flights.origin
