"""What every call goes through, whichever operation it asks for."""
