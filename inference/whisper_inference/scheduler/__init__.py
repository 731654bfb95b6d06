"""Batches the windows of all requests onto the one engine: bounded, by deadline, with cancellation.

`Scheduler` is what the event loop sees; `EngineLoop` is what its one thread runs; the other modules are the pure parts.
"""

from whisper_inference.scheduler.backlog import Admission
from whisper_inference.scheduler.jobs import Lane, WindowWork
from whisper_inference.scheduler.observer import SchedulerObserver
from whisper_inference.scheduler.service import Scheduler, SchedulerSettings

__all__ = ["Admission", "Lane", "Scheduler", "SchedulerObserver", "SchedulerSettings", "WindowWork"]
