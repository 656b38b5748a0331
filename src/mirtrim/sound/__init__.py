"""Decoding sound files to their end; neither corpora nor listening, which both need it."""
