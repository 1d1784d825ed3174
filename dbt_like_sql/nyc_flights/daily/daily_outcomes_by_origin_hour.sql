-- One row per landing night, airport of departure and hour: sums over the flights whose outcome landed.
select
    origin,
    departure_hour,
    count(*) as flights,
    count(dep_delay_minutes) as departures,
    count(arr_delay_minutes) as arrivals,
    sum(is_disrupted::int) as disrupted,
    sum(is_cancelled::int) as cancelled,
    sum(dep_delay_minutes) as dep_delay_minutes,
    sum(arr_delay_minutes) as arr_delay_minutes
from {{ ref('stg_outcomes') }}
group by origin, departure_hour
