-- One row per flight of the spine: where it goes.
with
airports as (
    select * from {{ source('airports') }}
)

select
    spine.score_date,
    spine.carrier,
    spine.flight,
    spine.origin,
    spine.scheduled_departure_at,
    arrival.latitude_degrees as dest_latitude_degrees,
    arrival.longitude_degrees as dest_longitude_degrees,
    arrival.elevation_feet as dest_elevation_feet,
    -- Great-circle distance by the haversine formula on a sphere of 3958.8 miles.
    2 * 3958.8 * asin(sqrt(
        power(sin(radians(arrival.latitude_degrees - departure.latitude_degrees) / 2), 2)
        + cos(radians(departure.latitude_degrees)) * cos(radians(arrival.latitude_degrees))
        * power(sin(radians(arrival.longitude_degrees - departure.longitude_degrees) / 2), 2)
    )) as great_circle_miles,
    degrees(atan2(
        sin(radians(arrival.longitude_degrees - departure.longitude_degrees)) * cos(radians(arrival.latitude_degrees)),
        cos(radians(departure.latitude_degrees)) * sin(radians(arrival.latitude_degrees))
        - sin(radians(departure.latitude_degrees)) * cos(radians(arrival.latitude_degrees))
        * cos(radians(arrival.longitude_degrees - departure.longitude_degrees))
    )) as bearing_degrees
from {{ spine() }} as spine
left join airports as departure on spine.score_date = departure.score_date and spine.origin = departure.airport
left join airports as arrival on spine.score_date = arrival.score_date and spine.dest = arrival.airport
