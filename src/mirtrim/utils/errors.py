"""Errors that a user can act on.

Every message is one line: it names the file, key, layer or operation at fault and says
what to do. Command-line entry points print the message and exit with a non-zero status.
"""


class MirtrimError(Exception):
    """Base of every error that mirtrim raises on purpose."""


class ConfigError(MirtrimError):
    """A configuration key is unknown, missing or of the wrong type."""


class CorpusError(MirtrimError):
    """A corpus is missing, damaged, or has splits that leak."""


class TraceError(MirtrimError):
    """An operation of a network cannot be followed, so nothing is cut."""


class RatioError(MirtrimError):
    """A compression ratio that the network cannot reach."""


class TrainingError(MirtrimError):
    """A training that cannot go on, for instance because its loss is not finite."""


class ArtefactError(MirtrimError):
    """A file written by an earlier step is damaged or of another version."""
