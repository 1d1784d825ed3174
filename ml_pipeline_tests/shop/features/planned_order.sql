-- One row per order of the spine: what the order itself says.
select
    spine.score_date,
    spine.order_id,
    spine.product_code,
    products.category,
    spine.channel,
    spine.quantity,
    spine.price_eur / products.list_price_eur as price_share,
    spine.coupon is not null as has_coupon,
    date_diff('minute', spine.placed_at, spine.cutoff_at) as order_age_minutes
from {{ spine() }} as spine
left join {{ source('products') }} as products
    on spine.score_date = products.score_date and spine.product_code = products.product_code
