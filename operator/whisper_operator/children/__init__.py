"""One pure builder for each kind of child; each returns a whole manifest for server-side apply."""
