-- One row per order of the spine: the rate that one would use without a model.
with
exact as (
    select score_date, product_code, avg(is_sent_back::int) as rate
    from {{ ref('stg_returns') }}
    group by score_date, product_code
),

shop as (
    select score_date, avg(is_sent_back::int) as rate
    from {{ ref('stg_returns') }}
    group by score_date
)

select
    spine.score_date,
    spine.order_id,
    coalesce(exact.rate, shop.rate) as baseline_return_rate
from {{ spine() }} as spine
left join exact on spine.score_date = exact.score_date and spine.product_code = exact.product_code
left join shop on spine.score_date = shop.score_date
