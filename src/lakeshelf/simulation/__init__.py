"""Simulated stores: what is sold there, who visits, what they want. The same seed gives the same stores."""
