"""How tables are kept: small files merged, old ones deleted, damage named and mended, owners asked."""
