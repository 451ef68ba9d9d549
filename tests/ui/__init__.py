"""Pages: what they show, what they let do, and to whom."""
