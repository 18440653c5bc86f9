"""Reading: what the watches and lists have brought, and what is asked for by name."""
