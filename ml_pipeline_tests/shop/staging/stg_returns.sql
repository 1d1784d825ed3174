-- One row per score_date and order whose outcome became known in the 28 nights before.
select
    returns.score_date,
    returns.order_id,
    returns.product_code,
    products.category,
    returns.is_sent_back,
    returns.known_on > returns.score_date - 7 as is_last_7d
from {{ source('returns', lookback_days=28) }} as returns
inner join {{ source('products') }} as products
    on returns.score_date = products.score_date and returns.product_code = products.product_code
