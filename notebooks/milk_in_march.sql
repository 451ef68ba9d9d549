-- The ten milk products of which each store sold most in March.
SELECT
    store_id,
    row_number() OVER (PARTITION BY store_id ORDER BY sum(quantity) DESC, item_id) AS place,
    item_id,
    name,
    sum(quantity)::BIGINT AS units,
    sum(total_price) AS sales
FROM curated.sales_lines
WHERE event_date BETWEEN '2017-03-01' AND '2017-03-31' AND subcategory = 'FLUID MILK PRODUCTS'
GROUP BY store_id, item_id, name
QUALIFY place <= 10
ORDER BY store_id, place
