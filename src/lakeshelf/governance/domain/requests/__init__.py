"""Change requests: their content and life, approvals, conflicts, the merge and its inverse."""
