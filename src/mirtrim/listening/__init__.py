"""Trained networks in use: bundles of a network with all it needs, and audio files heard by it."""
