-- One row per order of the spine: how orders of the same product went lately.
with
rates as (
    select
        score_date,
        product_code,
        count(*) as product_order_count_28d,
        avg(is_sent_back::int) as product_return_rate_28d,
        avg(is_sent_back::int) filter (where is_last_7d) as product_return_rate_7d
    from {{ ref('stg_returns') }}
    group by score_date, product_code
)

select
    spine.score_date,
    spine.order_id,
    rates.product_order_count_28d,
    rates.product_return_rate_28d,
    rates.product_return_rate_7d
from {{ spine() }} as spine
left join rates on spine.score_date = rates.score_date and spine.product_code = rates.product_code
