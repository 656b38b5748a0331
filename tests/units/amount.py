"""How many random networks are tried: `MIRTRIM_RANDOM=4` for four times as many as usual."""

import os

RANDOM = int(os.environ.get("MIRTRIM_RANDOM", "1"))
