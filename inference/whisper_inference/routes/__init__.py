"""The HTTP surface: each route translates between HTTP and the transcriber."""
