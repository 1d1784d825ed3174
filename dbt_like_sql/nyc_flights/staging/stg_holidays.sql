-- One row per public holiday of the United States in the years around 2013.
select *
from (
    values
    (date '2012-11-22', 'Thanksgiving Day'),
    (date '2012-12-25', 'Christmas Day'),
    (date '2013-01-01', 'New Year''s Day'),
    (date '2013-01-21', 'Martin Luther King Jr. Day'),
    (date '2013-02-18', 'Presidents'' Day'),
    (date '2013-05-27', 'Memorial Day'),
    (date '2013-07-04', 'Independence Day'),
    (date '2013-09-02', 'Labor Day'),
    (date '2013-10-14', 'Columbus Day'),
    (date '2013-11-11', 'Veterans Day'),
    (date '2013-11-28', 'Thanksgiving Day'),
    (date '2013-12-25', 'Christmas Day'),
    (date '2014-01-01', 'New Year''s Day'),
    (date '2014-01-20', 'Martin Luther King Jr. Day'),
    (date '2014-02-17', 'Presidents'' Day')
) as holidays (holiday_date, holiday_name)
