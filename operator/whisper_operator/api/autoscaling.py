"""`spec.pools[].autoscaling`: a pool whose count follows what it is asked to do."""

from typing import Annotated

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, Duration, rule, rules


class Autoscaling(ApiModel):
    """How many pods, and what decides it.

    The metrics that are named count; with none named, slotsInUse 6, queueAge 2s and streamLoad 75.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.minReplicas <= self.maxReplicas", "minReplicas is at most maxReplicas"),
            rule(
                "!has(self.cpu) || !has(self.prometheus)",
                "cpu is measured by the cluster itself; name slotsInUse, queueAge or streamLoad with prometheus",
            ),
        )
    )

    min_replicas: int = Field(1, ge=1, le=1000, description="The fewest pods; never 0.")
    max_replicas: int = Field(ge=1, le=1000, description="The most pods.")
    slots_in_use: int | None = Field(
        None, ge=1, le=64, description="Rows of the decoder batch in use in a pod, of WHISPER_MAX_ROWS (8), to aim at."
    )
    queue_age: Duration | None = Field(None, description="How long the oldest waiting audio may have waited.")
    stream_load: int | None = Field(
        None, ge=1, le=100, description="Percent to aim at of the streams that a pod could follow, as it measures."
    )
    cpu: int | None = Field(
        None, ge=1, le=100, description="Percent of the requested CPU to aim at; only in a CPU pool."
    )
    prometheus: Annotated[str, Field(max_length=500, pattern=r"^https?://[^\s]+$")] | None = Field(
        None,
        description="Where KEDA reads slotsInUse, queueAge and streamLoad, for example http://prometheus.monitoring:9090."
        " Absent: a HorizontalPodAutoscaler reads them from the cluster's custom metrics API.",
    )
