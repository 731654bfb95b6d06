"""What is measured of a server's way to the other replicas."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from whisper_contract.surface import HandoffOutcome, Metric


class ReplicaMetrics:
    """How many others there are, and what became of asking them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._peers = Gauge(Metric.PEERS, "Other replicas that this one knows.", registry=registry)
        self._handoffs = Counter(
            Metric.HANDOFFS, "Replicas that were asked to take a request, by outcome.", ["outcome"], registry=registry
        )
        for outcome in HandoffOutcome:
            self._handoffs.labels(outcome.value)

    def handed_over(self, outcome: HandoffOutcome) -> None:
        """Count what became of asking another replica."""
        self._handoffs.labels(outcome.value).inc()

    def peers_known(self, count: int) -> None:
        """Publish how many other replicas there are."""
        self._peers.set(count)
