"""The one-key mode: a bearer token (RFC 6750) against the server's key, in constant time."""

import hmac

from pydantic import SecretStr

from whisper_inference.errors import Unauthenticated


def check_bearer(authorization: str | None, key: SecretStr) -> None:
    """Let a request pass that carries the key.

    Args:
        authorization: The `Authorization` header.
        key: The server's key.

    Raises:
        Unauthenticated: There is no bearer token, or it is another one.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("This server needs a key: send `Authorization: Bearer <key>`.")
    if not hmac.compare_digest(token.strip().encode(), key.get_secret_value().encode()):
        raise Unauthenticated("The API key is not this server's.")
