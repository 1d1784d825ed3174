-- One row per score_date and flight whose outcome became known in the 28 nights before.
select
    score_date,
    cutoff_at,
    known_on,
    known_at,
    carrier,
    flight,
    origin,
    scheduled_departure_at,
    dest,
    departure_minute // 60 as departure_hour,
    tailnum,
    is_cancelled,
    is_cancelled or is_diverted or arr_delay_minutes >= 15 as is_disrupted,
    known_on > score_date - 7 as is_last_7d,
    known_on > score_date - 1 as is_last_1d,
    -- Whole minutes, so that sums are exact and cannot depend on the order of rows.
    cast(dep_delay_minutes as bigint) as dep_delay_minutes,
    cast(arr_delay_minutes as bigint) as arr_delay_minutes
from {{ source('outcomes', lookback_days=28) }}
