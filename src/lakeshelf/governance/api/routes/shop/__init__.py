"""What is seen of the shop and its stack, and what its staff asks for."""
