"""What the shop decides and tells: SQL of decisions and commands, what people do and ask, why something is as it is."""
