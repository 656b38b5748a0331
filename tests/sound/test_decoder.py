"""What stands behind a recording is no part of it, and a header that was never finished no end."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirtrim.sound.decoder import AudioError, blocks_of, joined, missing, open_source

RATE = 8000
FRAMES = 3 * RATE + 1234  # no multiple of a block
NOISE = 0.2 * np.random.default_rng(0).standard_normal((FRAMES, 2)).clip(-4, 4)
ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + (2000).to_bytes(4, "little") + bytes(20)
BEHIND = {
    "id3v1": ID3V1,
    "ape": APE,
    "lyrics and id3v1": b"LYRICSBEGININD0000200" + b"000021LYRICS200" + ID3V1,
    "id3v2": b"ID3\x04\0\0\0\0\0\x40" + bytes(64),
    "a zero": b"\0",
    "zeros": bytes(200_000),
    "text": b"mastered by hand\n",
    "noise": np.random.default_rng(1).bytes(3000),
}
FORMATS = {
    "flac": ("FLAC", "PCM_16"), "flac24": ("FLAC", "PCM_24"), "wav": ("WAV", "PCM_16"),
    "rf64": ("RF64", "PCM_16"), "aiff": ("AIFF", "PCM_16"), "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"), "w64": ("W64", "PCM_16"), "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}  # fmt: skip


def content_of(folder: Path, form: str) -> bytearray:
    """A recording of `FRAMES` frames in a format."""
    path = folder / form
    container, subtype = FORMATS[form]
    soundfile.write(path, NOISE, RATE, format=container, subtype=subtype)
    return bytearray(path.read_bytes())


def heard(path: Path, content: bytes, size: int | None = None) -> tuple[np.ndarray, str | None]:
    """Samples of a file of this content, read at once or in blocks, and what is missing."""
    path.write_bytes(content)
    source = open_source(path)
    samples = joined(source) if size is None else np.concatenate(list(blocks_of(source, size)))
    return samples, missing(source, len(samples))


@pytest.mark.parametrize("form", FORMATS)
def test_what_stands_behind_a_recording_is_not_heard(tmp_path, form):
    whole = content_of(tmp_path, form)
    expected, note = heard(tmp_path / "a", whole)
    assert (len(expected), note) == (FRAMES, None)
    for name, behind in BEHIND.items():
        for size in (None, RATE, 10 * RATE):
            samples, note = heard(tmp_path / "a", whole + behind, size)
            assert note is None, name
            np.testing.assert_array_equal(samples, expected, err_msg=name)


def test_a_damaged_flac_file_is_refused_all_the_same(tmp_path):
    whole = content_of(tmp_path, "flac")
    middle = len(whole) // 2
    whole[middle : middle + 9000] = bytes(9000)
    with pytest.raises(AudioError, match="decoded"):
        heard(tmp_path / "a", whole + ID3V1)


@pytest.mark.parametrize("form", FORMATS)
def test_another_recording_behind_the_first_one_is_told(tmp_path, form):
    whole = content_of(tmp_path, form)
    samples, note = heard(tmp_path / "a", whole + whole)
    assert len(samples) == FRAMES
    assert note == "only its first 3.15 s were heard: another recording follows them"


# Format → the words before the sizes of the sound and the frames, bytes from there, width, order.
SIZES = {
    "wav": [(b"data", 4, 4)],
    "rf64": [(b"ds64", 8, 8), (b"ds64", 16, 8), (b"ds64", 24, 8)],
    "aiff": [(b"FORM", 4, 4), (b"COMM", 10, 4), (b"SSND", 4, 4)],
    "au": [(b".snd", 8, 4)],
    "w64": [(b"riff", 16, 8), (b"data\xf3", 16, 8)],
}


@pytest.mark.parametrize("form", SIZES)
@pytest.mark.parametrize("container", ["as it was", "zero", "endless"])
def test_a_header_that_was_never_finished(tmp_path, form, container):
    whole = content_of(tmp_path, form)
    expected, _ = heard(tmp_path / "a", whole)
    for word, behind, width in SIZES[form]:
        at = whole.find(word) + behind
        whole[at : at + width] = bytes(width)
    if form == "wav" and container != "as it was":
        whole[4:8] = (b"\0" if container == "zero" else b"\xff") * 4
    samples, note = heard(tmp_path / "a", whole)
    np.testing.assert_array_equal(samples, expected)
    assert note == "its header was never finished, so all that follows it was taken for sound"


def test_an_aiff_header_that_tells_of_an_offset_only(tmp_path):
    whole = content_of(tmp_path, "aiff")
    at = whole.find(b"SSND") + 4
    whole[at : at + 4] = (8).to_bytes(4, "big")
    assert len(heard(tmp_path / "a", whole)[0]) == FRAMES


@pytest.mark.parametrize("form", ["wav", "aiff"])
def test_a_file_without_sound_may_have_other_chunks(tmp_path, form):
    soundfile.write(tmp_path / "a", NOISE[:0], RATE, format=FORMATS[form][0], subtype="PCM_16")
    whole = (tmp_path / "a").read_bytes()
    order = "little" if form == "wav" else "big"
    for behind in (b"", b"LIST" + (5).to_bytes(4, order) + b"INFO\0\0"):
        samples, note = heard(tmp_path / "a", whole + behind)
        assert (len(samples), note) == (0, None)
