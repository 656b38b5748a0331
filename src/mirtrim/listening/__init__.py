"""Trained networks in use: bundles (a network with all it needs) and running them on audio
files."""
