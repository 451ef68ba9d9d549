"""Names of the product's tables, by layer, for code that reads them."""

from __future__ import annotations

BRONZE, SILVER = "bronze", "silver"
"""Folders of what comes as files, and of the tables that it is loaded into unless it says otherwise."""


class Raw:
    """Events as they came."""

    SHELF_EVENTS = "raw/shelf_events"
    WH_EVENTS = "raw/wh_events"
    POS_TRANSACTIONS = "raw/pos_transactions"
    FOOT_TRAFFIC = "raw/foot_traffic"
    LOST_SALES = "raw/lost_sales"
    QUARANTINE = "raw/quarantine"


class Cleansed:
    """State that is folded from events."""

    SHELF_STATE = "cleansed/shelf_state"
    WH_STATE = "cleansed/wh_state"
    SHELF_BATCH_STATE = "cleansed/shelf_batch_state"
    WH_BATCH_STATE = "cleansed/wh_batch_state"


class Staging:
    """Working tables behind what is folded and decided."""

    LOT_CATALOG_STORE = "staging/lot_catalog_store"
    LOT_CATALOG_WH = "staging/lot_catalog_wh"
    ORDER_LEVELS = "staging/order_levels"
    PLAN_PROGRESS = "staging/plan_progress"
    PRODUCT_TRANSIT = "staging/product_transit"
    PROMOTIONS = "staging/promotions"
    RESTOCK_PICKS = "staging/restock_picks"
    SHELF_LOTS = "staging/shelf_lots"
    SHELF_POLICIES = "staging/shelf_policies"
    SHELF_PROFILES = "staging/shelf_profiles"
    SHELF_REFILL_ARRIVALS = "staging/shelf_refill_arrivals"
    SHELF_REFILL_PENDING = "staging/shelf_refill_pending"
    SHELF_TRANSIT = "staging/shelf_transit"
    SUPPLIER_ORDERS = "staging/supplier_orders"
    WH_LOTS = "staging/wh_lots"
    WH_POLICIES = "staging/wh_policies"


class Curated:
    """What people and models read."""

    DAILY_DEMAND = "curated/daily_demand"
    FEATURES_STORE = "curated/features_store"
    PREDICTIONS = "curated/predictions"
    PRODUCT_TOTAL_STATE = "curated/product_total_state"
    PROMOTIONS = "curated/promotions"
    SHELF_PROFILES = "curated/shelf_profiles"


class Analytics:
    """What is decided for a day."""

    DAILY_DISCOUNTS = "analytics/daily_discounts"


class Ops:
    """Alerts, plans and orders, and the books of the platform."""

    ALERTS = "ops/alerts"
    BATCH_LEDGER = "ops/batch_ledger"
    CURSORS = "ops/cursors"
    FILES = "ops/files"
    FILE_REJECTS = "ops/file_rejects"
    GOVERNANCE_AUDIT = "ops/governance_audit"
    JOURNAL_PRODUCER_SHELF = "ops/journal_producer_shelf"
    MODELS = "ops/models"
    MODEL_HEALTH = "ops/model_health"
    MODEL_SCORES = "ops/model_scores"
    PUBLICATIONS = "ops/publications"
    RUNS = "ops/runs"
    SHELF_ALERTS = "ops/shelf_alerts"
    SHELF_COMMANDS = "ops/shelf_commands"
    SHELF_RESTOCK_PLAN = "ops/shelf_restock_plan"
    STOCK_DISCREPANCIES = "ops/stock_discrepancies"
    WH_ALERTS = "ops/wh_alerts"
    WH_COMMANDS = "ops/wh_commands"
    WH_SUPPLIER_ORDERS = "ops/wh_supplier_orders"
    WH_SUPPLIER_PLAN = "ops/wh_supplier_plan"
    WH_SUPPLIER_RECEIPTS = "ops/wh_supplier_receipts"
