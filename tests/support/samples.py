"""Figures that a program publishes, as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families


def samples(published: str, name: str, /, **labels: str) -> list[float]:
    """Return the samples of a name that have these labels among theirs; a counter's end in `_total`."""
    return [
        sample.value
        for family in text_string_to_metric_families(published)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
