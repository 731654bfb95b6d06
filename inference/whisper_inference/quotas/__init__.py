"""How much a credential may use: requests at once, as leases that expire, and seconds of audio in a day."""
