"""What can go wrong between the operator and the cluster, as facts."""


class ClusterError(Exception):
    """Base of all."""


class Refused(ClusterError):
    """The API server understood and does not take it: trying again the same way is of no use."""


class AlreadyExists(ClusterError):
    """Someone made an object of this name before."""


class Superseded(ClusterError):
    """The object is not the one that was meant any more."""


class NotFound(ClusterError):
    """The object, or its kind, is not there."""


class Unavailable(ClusterError):
    """The API server cannot be reached, is overloaded, or saw another write first: try again later."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        """What the server asked for."""
