"""Score networks on users' own recordings, compared with a few simple rules."""
