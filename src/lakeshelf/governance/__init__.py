"""Governed datasets: people propose changes, others review them, and the merge of an approved request is one commit."""
