-- One row per scheduled flight and score_date: what is scored tonight.
select
    score_date,
    cutoff_at,
    carrier,
    flight,
    origin,
    scheduled_departure_at,
    dest,
    departure_minute,
    departure_minute // 60 as departure_hour,
    arrival_minute,
    scheduled_arrival_at,
    distance_miles
from {{ source('schedules', lookback_days=9) }}
where departure_date = score_date
