-- One row per flight of the spine: how crowded its airport, hour and route are planned to be.
with
flights as (
    select * from {{ spine() }}
),

hours as (
    select
        score_date,
        origin,
        departure_hour,
        count(*) as departures
    from flights
    group by score_date, origin, departure_hour
),

around as (
    select
        mine.score_date,
        mine.origin,
        mine.departure_hour,
        sum(other.departures) filter (where other.departure_hour = mine.departure_hour) as origin_hour_departures,
        sum(other.departures) filter (where other.departure_hour = mine.departure_hour - 1)
            as origin_previous_hour_departures,
        sum(other.departures) filter (where other.departure_hour < mine.departure_hour) as origin_earlier_departures,
        sum(other.departures) as origin_day_departures
    from hours as mine
    inner join hours as other on mine.score_date = other.score_date and mine.origin = other.origin
    group by mine.score_date, mine.origin, mine.departure_hour
),

carriers as (
    select
        score_date,
        carrier,
        origin,
        count(*) as carrier_origin_day_departures
    from flights
    group by score_date, carrier, origin
),

carrier_hours as (
    select
        score_date,
        carrier,
        origin,
        departure_hour,
        count(*) as carrier_origin_hour_departures
    from flights
    group by score_date, carrier, origin, departure_hour
),

routes as (
    select
        score_date,
        origin,
        dest,
        count(*) as route_day_departures,
        count(distinct carrier) as route_day_carriers
    from flights
    group by score_date, origin, dest
),

destinations as (
    select
        score_date,
        dest,
        departure_hour,
        count(*) as dest_hour_departures
    from flights
    group by score_date, dest, departure_hour
)

select
    flights.score_date,
    flights.carrier,
    flights.flight,
    flights.origin,
    flights.scheduled_departure_at,
    around.origin_hour_departures,
    coalesce(around.origin_previous_hour_departures, 0) as origin_previous_hour_departures,
    coalesce(around.origin_earlier_departures, 0) as origin_earlier_departures,
    around.origin_day_departures,
    carriers.carrier_origin_day_departures,
    carriers.carrier_origin_day_departures / around.origin_day_departures as carrier_origin_day_share,
    carrier_hours.carrier_origin_hour_departures,
    routes.route_day_departures,
    routes.route_day_carriers,
    destinations.dest_hour_departures
from flights
inner join around using (score_date, origin, departure_hour)
inner join carriers using (score_date, carrier, origin)
inner join carrier_hours using (score_date, carrier, origin, departure_hour)
inner join routes using (score_date, origin, dest)
inner join destinations using (score_date, dest, departure_hour)
