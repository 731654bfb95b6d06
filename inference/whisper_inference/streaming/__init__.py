"""Live speech: text that grows while somebody speaks, and never takes back what it called stable."""
