-- One row per flight of the spine: the aircraft that lately flew for the airline on the route.
with
flown as (
    select
        outcomes.score_date,
        outcomes.carrier,
        outcomes.origin,
        outcomes.dest,
        aircraft.seats,
        aircraft.built_year
    from {{ ref('stg_outcomes') }} as outcomes
    inner join {{ source('aircraft') }} as aircraft
        on outcomes.score_date = aircraft.score_date and outcomes.tailnum = aircraft.tailnum
    where not outcomes.is_cancelled
),

fleets as (
    select
        score_date,
        carrier,
        origin,
        dest,
        sum(seats) / count(*) as fleet_seats_28d,
        year(score_date) - sum(cast(built_year as bigint)) / nullif(count(built_year), 0) as fleet_age_years_28d
    from flown
    group by score_date, carrier, origin, dest
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    fleets.fleet_seats_28d,
    fleets.fleet_age_years_28d
from {{ spine() }} as spine
left join fleets using (score_date, carrier, origin, dest)
