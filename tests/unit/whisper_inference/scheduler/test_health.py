"""What liveness sees: hangs and repeated failures, never an idle server."""

from whisper_inference.scheduler.health import FAILURES_UNTIL_STALLED, EngineHealth


def test_an_idle_engine_is_healthy_for_ever() -> None:
    health = EngineHealth(0.0, patience=10.0)
    assert not health.stalled(1_000_000.0)


def test_work_without_progress_is_a_stall() -> None:
    health = EngineHealth(0.0, patience=10.0)
    health.work_arrived(100.0)
    assert not health.stalled(110.0)
    assert health.stalled(110.1)


def test_more_work_is_no_progress() -> None:
    health = EngineHealth(0.0, patience=10.0)
    health.work_arrived(100.0)
    health.work_arrived(109.0)
    assert health.stalled(111.0)


def test_progress_renews_the_patience() -> None:
    health = EngineHealth(0.0, patience=10.0)
    health.work_arrived(100.0)
    health.progressed(109.0)
    assert not health.stalled(118.0)
    assert health.last_progress == 109.0


def test_repeated_failure_is_a_stall_until_a_window_is_done() -> None:
    health = EngineHealth(0.0, patience=10.0)
    for _ in range(FAILURES_UNTIL_STALLED):
        assert not health.stalled(0.0)
        health.failed()
    assert health.stalled(0.0)
    health.window_done()
    assert not health.stalled(0.0)


def test_the_end_of_the_work_ends_the_debt() -> None:
    health = EngineHealth(0.0, patience=10.0)
    health.work_arrived(100.0)
    health.work_done()
    assert not health.stalled(1_000.0)
