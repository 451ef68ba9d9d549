"""What other policies would have meant: demand replayed day by day (docs/design/forecasting.md#what-if)."""
