-- One row per flight whose outcome became known to the night score_date.
select
    score_date,
    carrier,
    flight,
    origin,
    scheduled_departure_at,
    departure_date as labelled_date,
    known_at as label_known_at,
    is_cancelled or is_diverted or coalesce(arr_delay_minutes >= 15, false) as label
from {{ source('outcomes', lookback_days=1) }}
