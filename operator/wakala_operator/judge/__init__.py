"""Pure judgement: what differs, what is to be done, what is to be said. No client, no clock, no environment."""
