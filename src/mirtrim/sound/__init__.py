"""Decoding sound files to their end, and what recording does to sound; both are needed by corpora,
tasks and listening, and know none of them."""
