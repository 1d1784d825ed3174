-- One row per flight of the spine: what the plan itself says.
with
holidays as (
    select * from {{ ref('stg_holidays') }}
),

distances as (
    select
        spine.score_date,
        min(spine.score_date - holidays.holiday_date) filter (where holidays.holiday_date <= spine.score_date)
            as days_since_holiday,
        min(holidays.holiday_date - spine.score_date) filter (where holidays.holiday_date >= spine.score_date)
            as days_to_holiday
    from (select distinct score_date from {{ spine() }}) as spine
    cross join holidays
    group by spine.score_date
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    spine.carrier as carrier_code,
    spine.origin as origin_code,
    spine.dest as dest_code,
    spine.departure_hour,
    spine.departure_minute,
    spine.arrival_minute,
    spine.distance_miles,
    spine.flight as flight_number,
    date_diff('minute', spine.scheduled_departure_at, spine.scheduled_arrival_at) as scheduled_duration_minutes,
    spine.distance_miles * 60.0 / date_diff('minute', spine.scheduled_departure_at, spine.scheduled_arrival_at)
        as scheduled_speed_mph,
    isodow(spine.score_date) as weekday,
    isodow(spine.score_date) >= 6 as is_weekend,
    distances.days_since_holiday,
    distances.days_to_holiday
from {{ spine() }} as spine
left join distances on spine.score_date = distances.score_date
