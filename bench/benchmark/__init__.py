"""Countersign beside Django, an empty handler and hand-written services, in turns on one machine. See `bench/run`."""
