"""Commands about the shop: alerts, plans, stock, policies, stories, refused records."""
