"""Where a lake is: its address, files, leases, names; and what fails there, in one tree of errors."""
