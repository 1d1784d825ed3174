-- One row per order whose outcome became known to the night score_date.
select
    score_date,
    order_id,
    dispatch_date as labelled_date,
    known_at as label_known_at,
    is_sent_back as label
from {{ source('returns', lookback_days=1) }}
