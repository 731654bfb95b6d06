"""The names of the service that this one replaces: thin, off by default, and with a day on which they end."""
