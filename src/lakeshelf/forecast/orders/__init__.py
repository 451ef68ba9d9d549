"""From a forecast to an order: how likely a unit is wanted, the level worth reaching, what is missing, whole lots."""
