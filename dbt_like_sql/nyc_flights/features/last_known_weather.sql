-- One row per flight of the spine: the weather at its airport as last known at the cutoff.
with
observations as (
    select * from {{ ref('stg_weather') }}
),

latest as (
    select * from observations
    where recency_rank = 1
),

day_before as (
    select * from observations
    where recency_rank = 25
),

last_day as (
    select
        score_date,
        airport,
        sum(precipitation_inches) as precipitation_inches_24h,
        min(visibility_miles) as lowest_visibility_miles_24h,
        max(wind_gust_mph) as strongest_gust_mph_24h
    from observations
    where recency_rank <= 24
    group by score_date, airport
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    latest.temperature_f,
    latest.dewpoint_f,
    latest.humidity_pct,
    latest.wind_speed_mph,
    latest.wind_gust_mph,
    latest.pressure_mb,
    latest.visibility_miles,
    latest.precipitation_inches,
    date_diff('minute', latest.observed_at, latest.cutoff_at) as weather_age_minutes,
    latest.temperature_f - day_before.temperature_f as temperature_change_f_24h,
    latest.pressure_mb - day_before.pressure_mb as pressure_change_mb_24h,
    latest.wind_speed_mph - day_before.wind_speed_mph as wind_speed_change_mph_24h,
    last_day.precipitation_inches_24h,
    last_day.lowest_visibility_miles_24h,
    last_day.strongest_gust_mph_24h
from {{ spine() }} as spine
left join latest on spine.score_date = latest.score_date and spine.origin = latest.airport
left join day_before on spine.score_date = day_before.score_date and spine.origin = day_before.airport
left join last_day on spine.score_date = last_day.score_date and spine.origin = last_day.airport
