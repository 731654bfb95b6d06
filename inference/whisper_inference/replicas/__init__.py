"""Replicas that know of one another: who has room, and how a full one hands a request over."""
