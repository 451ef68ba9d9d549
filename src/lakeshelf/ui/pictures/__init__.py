"""Pictures, drawn on the server as SVG: what they show stands beside them as a table, too."""
