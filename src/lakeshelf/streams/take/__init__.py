"""How records are taken: decoded and judged by the contract, known again when they come twice, or refused."""
