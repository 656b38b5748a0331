"""How well networks hear a person's own recordings, beside a few lines without a network."""
