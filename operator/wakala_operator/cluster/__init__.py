"""The only code that writes to the cluster, and the thin client below it."""
