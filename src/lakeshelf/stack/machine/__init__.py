"""The machine: processes, ports, memory."""
