"""The statements that make features, for the daily job and for a back-fill.

What does not depend on a row's day is made once for many of them. Each row of `chosen` is answered by itself, from
what lies before its day; so one cutoff day alone and many at once give equal rows. Sums are of integers and decimals,
whose order does not matter; an exponential weight is a whole number of 2^-20, so that its sums are exact, too.
"""

from __future__ import annotations

import pyarrow as pa

from lakeshelf.forecast.demand.features import SCHEMA

REACH = 182
"""Days before D that features look back on."""
LATEST = 20
"""Sale days that the means of TSB and SBA look back on."""
SMOOTHING = 0.1
"""Weight of the newest in the means of TSB and SBA, of Croston (1972)."""
FINE = 1 << 20

MACROS = f"""
CREATE MACRO per_unit(age, half_life) AS round({FINE} * pow(0.5, (age - 1) / half_life))::BIGINT;
CREATE MACRO per_day(total, half_life) AS total::DOUBLE / {FINE} * (1 - pow(0.5, 1 / half_life));
CREATE MACRO weighed(newest_first) AS list_sum(list_transform(newest_first,
    lambda x, i: x * pow(1 - {SMOOTHING}, i - 1)));
CREATE MACRO smoothed(newest_first) AS
    weighed(newest_first) / weighed(list_transform(newest_first, lambda x: 1));
CREATE MACRO newest(oldest_first, n) AS list_reverse(oldest_first[-n:])
"""

SOLD = ", ".join(
    f"coalesce(o.units_{n}, 0) AS units_sold_{n}d" for n in (1, 3, 7, 14, 28, 56, 91, 182)
)
LINES = ", ".join(f"coalesce(lines_{n}, 0) AS lines_{n}d" for n in (28, 91, 182))

WHOLE = ", ".join(
    f"{field.name}::BIGINT AS {field.name}" for field in SCHEMA if field.type == pa.int64()
)
LOOKED_BACK_ON = {
    # A past day was promoted if that was known before it began, whatever became known later.
    "planned": """
        SELECT shelf_id, week, display, mailer, known_at, greatest(week, known_at::DATE + 1) AS since FROM promotions
        WHERE coalesce(display, '0') <> '0' OR coalesce(mailer, '0') <> '0'""",
    "known": f"""
        SELECT d.*, p.week IS NOT NULL AS promoted FROM demand AS d LEFT JOIN planned AS p
        ON p.shelf_id = d.shelf_id AND p.week = date_trunc('week', d.day)::DATE AND d.day >= p.since
        WHERE d.day >= $first::DATE - 2 * {REACH} AND d.day < $last""",
    "placed": "SELECT k.*, s.category, s.subcategory FROM known AS k JOIN shelves AS s USING (shelf_id)",
    "state": f"""
        WITH sale AS (
            SELECT shelf_id, day, revenue::DOUBLE / units AS price,
                newest(list(units) OVER w, {LATEST}) AS sizes, newest(list(day) OVER w, {LATEST} + 1) AS days
            FROM known WHERE units > 0
            WINDOW w AS (PARTITION BY shelf_id ORDER BY day RANGE INTERVAL {REACH} DAY PRECEDING))
        SELECT shelf_id, day, price, smoothed(sizes) AS size,
            smoothed(list_transform(days[2:], lambda x, i: days[i] - x)) AS gap
        -- Before its first sale in reach a shelf had waited, too: without that, rare goods would seem to sell often.
        FROM (SELECT * REPLACE (CASE WHEN len(days) <= {LATEST} AND days[-1] > day - {REACH}
                THEN list_append(days, day - {REACH}) ELSE days END AS days) FROM sale)""",
    "item_day": """
        SELECT item_id, day, sum(units) AS units, sum(revenue) AS revenue,
            sum(units) FILTER (promoted) AS promoted FROM known GROUP BY item_id, day""",
    # A shelf sells in the 91 days before D exactly if its latest sale does.
    "selling": """
        SELECT p.shelf_id, p.item_id, p.store_id, p.subcategory, p.day,
            lead(p.day, 1, 'infinity'::DATE) OVER (PARTITION BY p.shelf_id ORDER BY p.day) AS next
        FROM placed AS p WHERE p.units > 0""",
    "kind_day": """
        SELECT store_id, category, subcategory, day, sum(units) AS units FROM placed
        GROUP BY store_id, category, subcategory, day""",
}
"""Table → what it is of, each from those before it: what rows of days from `$first` to `$last` look back on."""
SQL = f"""
WITH
target AS MATERIALIZED (
    SELECT c.shelf_id, c.feature_date, c.horizon_days, s.store_id, s.item_id, s.category, s.subcategory,
        s.shelf_life_days FROM chosen AS c JOIN shelves AS s USING (shelf_id)),

own AS (
    SELECT t.shelf_id, t.feature_date,
        sum(units) FILTER (age <= 1) AS units_1, sum(units) FILTER (age <= 3) AS units_3,
        sum(units) FILTER (age <= 7) AS units_7, sum(units) FILTER (age <= 14) AS units_14,
        sum(units) FILTER (age <= 28) AS units_28, sum(units) FILTER (age <= 56) AS units_56,
        sum(units) FILTER (age <= 91) AS units_91, sum(units) AS units_182,
        sum(lines) FILTER (age <= 28) AS lines_28, sum(lines) FILTER (age <= 91) AS lines_91,
        sum(lines) AS lines_182,
        sum(lost_units) FILTER (age <= 7) AS lost_7, sum(lost_units) FILTER (age <= 28) AS lost_28,
        min(age) FILTER (units > 0) AS since_sale, max(age) FILTER (units > 0) AS known_days,
        sum(units) FILTER (age <= 28 AND (7 - age % 7) % 7 < horizon_days) AS same_4,
        sum(units) FILTER (age <= 91 AND (7 - age % 7) % 7 < horizon_days) AS same_13,
        sum(units) FILTER (age <= 91 AND promoted) AS promoted_91, max(units) FILTER (age <= 91) AS peak,
        sum(units * per_unit(age, 7)) AS fast, sum(units * per_unit(age, 28)) AS medium,
        sum(units * per_unit(age, 91)) AS slow,
        sum(CASE WHEN units > 0 THEN per_unit(age, 28) END) AS often,
        sum(revenue) AS revenue,
        28 - sum(CASE WHEN stockout_hours > 0 THEN 1 ELSE 0 END)
            FILTER (age <= 28 AND stockout_hours IS NOT NULL) AS in_stock
    FROM (SELECT t.shelf_id, t.feature_date, t.horizon_days, t.feature_date - k.day AS age, k.units, k.lines,
            k.lost_units, k.revenue, k.stockout_hours, k.promoted
        FROM target AS t JOIN known AS k
        ON k.shelf_id = t.shelf_id AND k.day < t.feature_date AND k.day >= t.feature_date - {REACH}) AS t
    GROUP BY t.shelf_id, t.feature_date),

latest AS (
    SELECT o.shelf_id, o.feature_date, s.price, s.size, s.gap
    FROM own AS o JOIN state AS s ON s.shelf_id = o.shelf_id AND s.day = o.feature_date - o.since_sale::INTEGER),

item AS (
    SELECT t.item_id, t.feature_date,
        sum(units) FILTER (age <= 7) AS units_7, sum(units) FILTER (age <= 28) AS units_28,
        sum(units) FILTER (age <= 91) AS units_91,
        sum(promoted) FILTER (age <= 91) AS promoted_91,
        sum(revenue) FILTER (age <= 7) AS revenue_7, sum(revenue) AS revenue, sum(units) AS units
    FROM (SELECT t.item_id, t.feature_date, t.feature_date - k.day AS age, k.units, k.revenue, k.promoted
        FROM (SELECT DISTINCT item_id, feature_date FROM target) AS t JOIN item_day AS k
        ON k.item_id = t.item_id AND k.day < t.feature_date AND k.day >= t.feature_date - {REACH}) AS t
    GROUP BY t.item_id, t.feature_date),
day AS MATERIALIZED (SELECT DISTINCT feature_date FROM target),

selling_item AS (
    SELECT s.item_id, d.feature_date, count(*) AS shelves FROM selling AS s JOIN day AS d
    ON d.feature_date > s.day AND d.feature_date <= s.next AND s.day >= d.feature_date - 91
    GROUP BY s.item_id, d.feature_date),
selling_kind AS (
    SELECT s.store_id, s.subcategory, d.feature_date, count(*) AS shelves FROM selling AS s JOIN day AS d
    ON d.feature_date > s.day AND d.feature_date <= s.next AND s.day >= d.feature_date - 91
    GROUP BY s.store_id, s.subcategory, d.feature_date),

kind AS (
    SELECT k.store_id, k.subcategory, d.feature_date,
        sum(units) FILTER (d.feature_date - k.day <= 7) AS units_7,
        sum(units) FILTER (d.feature_date - k.day <= 28) AS units_28, sum(units) AS units_91
    FROM day AS d JOIN kind_day AS k ON k.day < d.feature_date AND k.day >= d.feature_date - 91
    GROUP BY k.store_id, k.subcategory, d.feature_date),
department AS (
    SELECT k.store_id, k.category, d.feature_date,
        sum(units) FILTER (d.feature_date - k.day <= 7) AS units_7, sum(units) AS units_28
    FROM day AS d JOIN kind_day AS k ON k.day < d.feature_date AND k.day >= d.feature_date - 28
    GROUP BY k.store_id, k.category, d.feature_date),
shop AS (
    SELECT k.store_id, d.feature_date,
        sum(units) FILTER (d.feature_date - k.day <= 7) AS units_7, sum(units) AS units_28
    FROM day AS d JOIN kind_day AS k ON k.day < d.feature_date AND k.day >= d.feature_date - 28
    GROUP BY k.store_id, d.feature_date),
visited AS (
    SELECT v.store_id, d.feature_date,
        sum(visits) FILTER (d.feature_date - v.day <= 1) AS visits_1,
        sum(visits) FILTER (d.feature_date - v.day <= 7) AS visits_7, sum(visits) AS visits_28
    FROM day AS d JOIN visits AS v ON v.day < d.feature_date AND v.day >= d.feature_date - 28
    GROUP BY v.store_id, d.feature_date),
promoted AS (
    SELECT t.shelf_id, t.feature_date,
        max(display) FILTER (until >= week AND until < week + 7) AS display,
        max(mailer) FILTER (until >= week AND until < week + 7) AS mailer,
        max(display) FILTER (until - 7 >= week AND until - 7 < week + 7) AS display_before,
        max(mailer) FILTER (until - 7 >= week AND until - 7 < week + 7) AS mailer_before,
        sum(greatest(0, least(until, week + 6) - greatest(t.feature_date, week) + 1)) AS days
    FROM (SELECT shelf_id, feature_date, feature_date + horizon_days::INTEGER - 1 AS until FROM target) AS t
    JOIN planned AS p ON p.shelf_id = t.shelf_id AND p.week <= t.until AND p.week + 14 > t.until
        AND p.known_at < t.feature_date
    GROUP BY t.shelf_id, t.feature_date),
offered AS (
    SELECT t.shelf_id, t.feature_date,
        sum(least(t.feature_date, p.week + 7) - greatest(p.since, t.feature_date - 91)) AS days
    FROM target AS t JOIN planned AS p ON p.shelf_id = t.shelf_id AND p.since < least(t.feature_date, p.week + 7)
        AND p.week + 7 > t.feature_date - 91
    GROUP BY t.shelf_id, t.feature_date),
feast AS (
    SELECT d.feature_date, min(h.day) - d.feature_date AS days
    FROM day AS d JOIN holidays AS h ON h.day >= d.feature_date GROUP BY d.feature_date)
-- Sums of whole numbers are twice as wide until here: sorting and handing them over would take longer.
SELECT * REPLACE ({WHOLE}) FROM (SELECT t.shelf_id, t.feature_date, t.horizon_days,
    isodow(t.feature_date) AS day_of_week, feast.days AS days_to_holiday,
    {SOLD}, {LINES},
    coalesce(lost_7, 0) AS lost_sales_7d, coalesce(lost_28, 0) AS lost_sales_28d,
    since_sale AS days_since_sale, known_days AS days_known,
    coalesce(same_4, 0) AS same_days_4w, coalesce(same_13, 0) AS same_days_13w, coalesce(peak, 0) AS peak_91d,
    per_day(coalesce(fast, 0), 7) AS mean_7d, per_day(coalesce(medium, 0), 28) AS mean_28d,
    per_day(coalesce(slow, 0), 91) AS mean_91d,
    l.size AS sale_size, l.gap AS sale_interval,
    l.size * per_day(often, 28) AS tsb, (1 - {SMOOTHING} / 2) * l.size / l.gap AS sba,
    coalesce(i.units_7, 0) AS item_units_7d, coalesce(i.units_28, 0) AS item_units_28d,
    coalesce(i.units_91, 0) AS item_units_91d, i.units_91::DOUBLE / si.shelves AS item_rate_91d,
    (i.revenue_7::DOUBLE / nullif(i.units_7, 0)) / nullif(i.revenue::DOUBLE / nullif(i.units, 0), 0)
        AS item_price_ratio_7d,
    coalesce(c.units_7, 0) AS category_units_7d, coalesce(c.units_28, 0) AS category_units_28d,
    coalesce(k.units_7, 0) AS subcategory_units_7d, coalesce(k.units_28, 0) AS subcategory_units_28d,
    coalesce(k.units_91, 0) AS subcategory_units_91d, k.units_91::DOUBLE / sk.shelves AS subcategory_rate_91d,
    coalesce(m.units_7, 0) AS store_units_7d, coalesce(m.units_28, 0) AS store_units_28d,
    coalesce(visits_1, 0) AS store_visits_1d, coalesce(visits_7, 0) AS store_visits_7d,
    coalesce(visits_28, 0) AS store_visits_28d,
    l.price AS last_price, l.price / nullif(o.revenue::DOUBLE / nullif(units_182, 0), 0) AS price_ratio,
    coalesce(x.discount, 0)::DOUBLE AS discount,
    coalesce(p.days, 0) AS promoted_days, coalesce(w.days, 0) AS promoted_days_91d,
    coalesce(o.promoted_91, 0) / nullif(w.days, 0) AS promoted_rate_91d,
    (coalesce(o.units_91, 0) - coalesce(o.promoted_91, 0)) / nullif(91 - coalesce(w.days, 0), 0) AS plain_rate_91d,
    coalesce(i.promoted_91, 0) AS item_promoted_units_91d, in_stock AS in_stock_days_28d, t.shelf_life_days,
    t.store_id, t.category, t.subcategory, p.display, p.mailer, p.display_before, p.mailer_before
FROM target AS t
LEFT JOIN own AS o USING (shelf_id, feature_date) LEFT JOIN latest AS l USING (shelf_id, feature_date)
LEFT JOIN item AS i USING (item_id, feature_date) LEFT JOIN selling_item AS si USING (item_id, feature_date)
LEFT JOIN department AS c ON c.store_id = t.store_id AND c.feature_date = t.feature_date
    AND c.category IS NOT DISTINCT FROM t.category
LEFT JOIN kind AS k ON k.store_id = t.store_id AND k.feature_date = t.feature_date
    AND k.subcategory IS NOT DISTINCT FROM t.subcategory
LEFT JOIN selling_kind AS sk ON sk.store_id = t.store_id AND sk.feature_date = t.feature_date
    AND sk.subcategory IS NOT DISTINCT FROM t.subcategory
LEFT JOIN shop AS m ON m.store_id = t.store_id AND m.feature_date = t.feature_date
LEFT JOIN visited AS v ON v.store_id = t.store_id AND v.feature_date = t.feature_date
LEFT JOIN promoted AS p ON p.shelf_id = t.shelf_id AND p.feature_date = t.feature_date
LEFT JOIN offered AS w ON w.shelf_id = t.shelf_id AND w.feature_date = t.feature_date
LEFT JOIN discounts AS x ON x.shelf_id = t.shelf_id AND x.discount_date = t.feature_date
LEFT JOIN feast ON feast.feature_date = t.feature_date)
ORDER BY feature_date, shelf_id
"""
