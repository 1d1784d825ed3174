-- One row per order and score_date: what is dispatched tomorrow.
select
    score_date,
    cutoff_at,
    order_id,
    placed_at,
    product_code,
    channel,
    quantity,
    price_eur,
    coupon
from {{ source('orders', lookback_days=3) }}
where dispatch_date = score_date
