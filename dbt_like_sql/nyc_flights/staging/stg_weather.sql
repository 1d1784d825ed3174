-- One row per score_date and hourly observation known in the two nights before.
select
    score_date,
    cutoff_at,
    airport,
    observed_at,
    temperature_f,
    dewpoint_f,
    humidity_pct,
    wind_speed_mph,
    wind_gust_mph,
    pressure_mb,
    visibility_miles,
    -- Exact decimals, so that sums cannot depend on the order of rows.
    cast(precipitation_inches as decimal(9, 3)) as precipitation_inches,
    row_number() over (partition by score_date, airport order by observed_at desc) as recency_rank
from {{ source('weather_observations', lookback_days=2) }}
