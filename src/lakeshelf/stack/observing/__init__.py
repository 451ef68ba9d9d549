"""What is told of a stack: examinations, status, lag, live numbers, the plan of a bootstrap."""
