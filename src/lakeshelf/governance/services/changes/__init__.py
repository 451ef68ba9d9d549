"""A change of a governed dataset: edited in a session, proposed, reviewed, merged, or ended without."""
