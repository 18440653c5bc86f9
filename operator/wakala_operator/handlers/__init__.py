"""kopf's part: watching and waking. A handler parses, calls and returns; what it means is decided below."""
