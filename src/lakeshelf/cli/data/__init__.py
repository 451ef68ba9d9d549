"""Commands about data: datasets of the lake, files that become rows, SQL, the contract."""
