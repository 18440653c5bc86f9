"""Types and contracts: what is written in the cluster and read by all our programs."""
