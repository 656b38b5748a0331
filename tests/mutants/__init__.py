"""Faults planted in the code, one at a time, to see whether a test notices.

`python -m tests.mutants` plants the faults of `planted.yaml`; with `--generated` it plants a seeded
sample of small changes that are made by rule. Neither is part of the gate: a run takes hours.
"""
