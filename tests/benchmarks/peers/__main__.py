"""Run one peer as a worker: `python -m tests.benchmarks.peers NAME MODEL IN_FLIGHT CORES`."""

import importlib
import sys

from tests.benchmarks.worker import serve

name, model, in_flight, cores = sys.argv[1:]
peer = importlib.import_module(f"tests.benchmarks.peers.{name}")
serve(lambda threads: peer.load(model, threads), in_flight=int(in_flight), cores=int(cores))
