"""Silence begins and ends where it should."""

import logging
import sys
import warnings

import pytest

from mirtrim.deploy.onnx_session import quiet


def speak(error: str = "") -> None:
    print("out")
    print("err", file=sys.stderr)
    warnings.warn("warning", stacklevel=1)
    logging.getLogger("library").error("record")
    if error:
        raise ValueError(error)


@pytest.mark.filterwarnings("always")
def test_quiet(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(record=True) as caught:
        with pytest.raises(ValueError, match="still heard"), quiet():
            speak(error="still heard")
        assert capsys.readouterr() == ("", "")
        assert not caught
        assert not caplog.records
        speak()
    out, err = capsys.readouterr()
    assert (out, err) == ("out\n", "err\n")
    assert [str(warning.message) for warning in caught] == ["warning"]
    assert [record.message for record in caplog.records] == ["record"]
