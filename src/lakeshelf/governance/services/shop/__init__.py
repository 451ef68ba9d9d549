"""The shop and the stack beside the datasets: what is seen of them, and what its staff asks for."""
