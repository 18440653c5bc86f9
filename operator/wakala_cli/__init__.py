"""The command line `wakala`, also `kubectl wakala`: the operator's own code, offline and by hand."""
