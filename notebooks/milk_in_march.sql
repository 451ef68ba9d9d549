-- The ten milk products of which each store sold most in March.
WITH sold AS (
    SELECT event_date, unnest(items, recursive := true)
    FROM raw.pos_transactions
    WHERE event_date BETWEEN '2017-03-01' AND '2017-03-31'
)
SELECT
    store_id,
    row_number() OVER (PARTITION BY store_id ORDER BY sum(quantity) DESC, item_id) AS place,
    item_id,
    name,
    sum(quantity)::BIGINT AS units,
    sum(total_price) AS sales
FROM sold JOIN curated.shelf_profiles USING (shelf_id, item_id)
WHERE subcategory = 'FLUID MILK PRODUCTS'
GROUP BY store_id, item_id, name
QUALIFY place <= 10
ORDER BY store_id, place
