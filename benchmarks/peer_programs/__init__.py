"""The job of the race as users of other libraries would write it, each with the lock file of its own environment."""
