"""The command line `wakala`, also `kubectl wakala`."""
