-- One row per flight whose outcome landed, shown to each of the 28 nights that look back at it.
select
    known_at,
    carrier,
    flight,
    origin,
    scheduled_departure_at,
    dest,
    departure_minute // 60 as departure_hour,
    tailnum,
    is_cancelled,
    is_cancelled or is_diverted or coalesce(arr_delay_minutes >= 15, false) as is_disrupted,
    -- Whole minutes, so that sums are exact and cannot depend on the order of rows.
    cast(dep_delay_minutes as bigint) as dep_delay_minutes,
    cast(arr_delay_minutes as bigint) as arr_delay_minutes
from {{ source('outcomes', lookback_days=28) }}
