"""Settings whose training data are made worse on purpose: wrong labels, rare classes."""

from dataclasses import replace

from mirtrim.runs.jobs.setting import Setting
from mirtrim.tasks.flaws import flawed_store, flaws_of


def flawed(setting: Setting) -> Setting:
    """The setting with the training data that its configuration asks for (`tasks.flaws`).

    The digest of its data stays: what is changed follows from them and from the settings.
    """
    training = setting.config["training"]
    if not flaws_of(training):
        return setting
    store = flawed_store(setting.task, setting.store, setting.features, training)
    return replace(setting, store=store)
