"""`spec.sessions` and `spec.redis`: how long people stay logged in, and where that is kept."""

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, Duration, ImageReference, Name, Size, rule, rules


class Sessions(ApiModel):
    """How long a login lasts."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "duration(self.idleTimeout) <= duration(self.absoluteTimeout)",
                "idleTimeout is longer than absoluteTimeout: a session would never end for being idle",
            ),
            rule(
                "duration(self.streamTokenLifetime) >= duration('1s') && "
                "duration(self.streamTokenLifetime) <= duration('10m')",
                "streamTokenLifetime is from 1s to 10m: a token is used at once, or asked for again",
            ),
            rule(
                "duration(self.absoluteTimeout) <= duration(self.retention)",
                "absoluteTimeout is longer than retention: nothing of a session is kept for longer than that; raise it",
            ),
        )
    )

    idle_timeout: Duration = Field("15m", description="A session that nobody uses ends after this.")
    absolute_timeout: Duration = Field("8h", description="Any session ends after this.")
    stream_token_lifetime: Duration = Field(
        "60s", description="A token for a browser's stream that nobody uses ends after this: 1s to 10m."
    )
    retention: Duration = Field("24h", description="The longest that anything of a session is kept.")


class ManagedRedis(ApiModel):
    """A Redis or Valkey of the resource's own, with an append-only file on a claim that goes with it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.size == oldSelf.size && has(self.storageClassName) == has(oldSelf.storageClassName) && "
                "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
                "a claim keeps its size and class: remove redis, and add it again with others",
            )
        )
    )

    image: ImageReference | None = Field(
        None, description="An image that has `redis-server`, instead of the operator's default."
    )
    memory: Size = Field("256Mi", description="Memory of the container; when it is full, writes are refused.")
    size: Size = Field("1Gi", description="Size of the claim; it cannot be changed.")
    storage_class_name: Name | None = Field(
        None, description="Its class; absent: the cluster's default. It cannot be changed."
    )


class Redis(ApiModel):
    """Where sessions are kept, so that every pod knows them."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.secretName) != has(self.managed)", "write either redis.secretName or redis.managed: {}")
        )
    )

    secret_name: Name | None = Field(
        None,
        description="A Secret whose key `url` is the address: redis://, rediss://, redis+sentinel:// or "
        "redis+cluster://. Allow it in network.egress.",
    )
    managed: ManagedRedis | None = Field(None, description="Make one.")
