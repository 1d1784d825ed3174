-- One row per order of the spine: how orders of the same shelf went lately.
with
rates as (
    select score_date, category, avg(is_sent_back::int) as category_return_rate_7d
    from {{ ref('stg_returns') }}
    where is_last_7d
    group by score_date, category
)

select
    spine.score_date,
    spine.order_id,
    rates.category_return_rate_7d
from {{ spine() }} as spine
left join {{ source('products') }} as products
    on spine.score_date = products.score_date and spine.product_code = products.product_code
left join rates on spine.score_date = rates.score_date and products.category = rates.category
