-- One row per flight of the spine: the rate that one would use without a model.
-- The share of disrupted flights of the same airline, airport and hour in 28 days; where there was no such flight,
-- that of the airport and hour, then that of the network.
with
exact as (
    select
        score_date,
        carrier,
        origin,
        departure_hour,
        sum(disrupted) / sum(flights) as rate
    from {{ ref('daily_outcomes_by_carrier_origin_hour') }}
    group by score_date, carrier, origin, departure_hour
),

wider as (
    select
        score_date,
        origin,
        departure_hour,
        sum(disrupted) / sum(flights) as rate
    from {{ ref('daily_outcomes_by_origin_hour') }}
    group by score_date, origin, departure_hour
),

network as (
    select
        score_date,
        sum(disrupted) / sum(flights) as rate
    from {{ ref('daily_outcomes') }}
    group by score_date
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    coalesce(exact.rate, wider.rate, network.rate) as baseline_disrupted_rate
from {{ spine() }} as spine
left join exact using (score_date, carrier, origin, departure_hour)
left join wider using (score_date, origin, departure_hour)
left join network using (score_date)
