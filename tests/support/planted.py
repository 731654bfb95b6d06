"""The secrets that tests give to servers: `log_watch` looks for them in everything that is logged."""

from typing import Final

KEY: Final = "a-key-for-tests-only"
PASSWORD: Final = "correct horse"
SECRET_KEY: Final = "the-secret-key-of-the-tests-0123456789"
