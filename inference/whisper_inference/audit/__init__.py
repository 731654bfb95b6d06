"""Who did what, when, from where, and with what outcome; never what was said, and no secret."""
