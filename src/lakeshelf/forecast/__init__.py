"""Forecasts of demand: what is known of it, how it is forecast, kept, and ordered from.

`demand` makes rows of what was known on a cutoff day, `model` forecasts from them, `versions` keeps what was
trained, and `orders` makes levels and lots of a forecast.
"""
