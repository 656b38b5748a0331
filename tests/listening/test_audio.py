"""Any rate and any number of channels become mono blocks; what cannot be heard is named."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirtrim.listening.audio import (
    AudioError,
    mean_of_channels,
    mono_blocks,
    open_audio,
    share,
)
from mirtrim.listening.meter import Meter
from mirtrim.tasks.audio import read_mono

from .samples import music, write


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_are_the_whole_file(tmp_path, rate, channels):
    samples = np.stack([music(23.7, rate, seed) for seed in range(channels)], axis=1)
    path = write(tmp_path / "a.wav", samples, rate)
    blocks = list(mono_blocks(open_audio(path), 16000))
    assert len(blocks) >= 3
    # The same resampler, fed in pieces: the same bits.
    np.testing.assert_array_equal(np.concatenate(blocks), read_mono(path, 16000))


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
def test_compressed_files(tmp_path, ending):
    path = write(tmp_path / f"a.{ending}", music(12, 44100), 44100)
    audio = open_audio(path)
    assert audio.duration_seconds == pytest.approx(12, abs=0.1)
    blocks = np.concatenate(list(mono_blocks(audio, 8000)))
    # The mp3 decoder itself rounds differently from block to block.
    np.testing.assert_allclose(blocks, read_mono(path, 8000), atol=1e-6)


def test_progress_and_two_readings(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(25 * 8000), 8000)
    seen = []
    for reading in (0, 1):
        report = share(lambda done, total: seen.append((done, total)), reading, 2)
        for _ in mono_blocks(open_audio(path), 8000, report):
            pass
    assert seen == [(10, 50), (20, 50), (25, 50), (35, 50), (45, 50), (50, 50)]


def test_files_that_cannot_be_heard_are_named(tmp_path):
    (tmp_path / "text.wav").write_text("not audio")
    write(tmp_path / "empty.wav", np.zeros(0), 8000)
    os.mkfifo(tmp_path / "pipe.wav")
    for name, content in (
        ("nothing.wav", b""),
        ("song.m4a", b"\0\0\0\x20ftypM4A " + bytes(64)),
        ("page.mp3", "<html>Straße, не найдено</html>\n".encode() * 200),
        ("zeros.wav", bytes(5000)),
        ("cover.mp3", b"\xff\xd8\xff\xe0" + np.random.default_rng(0).bytes(5000)),
        ("noise.mp3", np.random.default_rng(1).bytes(200_000)),
        ("broken.wav", b"RIFF" + np.random.default_rng(2).bytes(5000)),
    ):
        (tmp_path / name).write_bytes(content)
    for name, message in (
        ("none.wav", "no such file"),
        ("text.wav", "is text, which cannot be heard"),
        ("empty.wav", "holds no samples"),
        (".", "is a folder; name the audio files in it"),
        ("pipe.wav", "is no ordinary file"),
        ("nothing.wav", "is empty \\(0 bytes\\)"),
        ("song.m4a", "is an MPEG-4 file"),
        ("page.mp3", "is text"),
        ("zeros.wav", "is nothing but zeros"),
        ("cover.mp3", "is a picture"),
        ("noise.mp3", "cannot be decoded"),
        ("broken.wav", "cannot be decoded"),
    ):
        with pytest.raises(AudioError, match=message) as caught:
            open_audio(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_that_breaks_off(tmp_path):
    path = write(tmp_path / "a.flac", music(30, 16000), 16000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match="decoded"):
        for _ in mono_blocks(open_audio(path), 16000):
            pass


@pytest.mark.filterwarnings("error")
def test_values_that_are_no_numbers(tmp_path):
    path = write(tmp_path / "a.wav", np.array([0.0, np.nan, 0.0]), 8000)
    with pytest.raises(AudioError, match="not numbers"):
        list(mono_blocks(open_audio(path), 8000))


def test_less_than_one_sample_after_resampling(tmp_path):
    path = write(tmp_path / "a.wav", np.ones(1), 44100)
    with pytest.raises(AudioError, match="1 samples at 44100 Hz are less than one at 8000 Hz"):
        list(mono_blocks(open_audio(path), 8000))


def test_the_meter_measures_what_passes():
    meter = Meter(8000)
    list(meter.through(iter([np.array([3.0, -4.0]), np.zeros(2)])))
    assert (meter.samples, meter.peak, meter.square_sum, meter.rms) == (4, 4.0, 25.0, 2.5)
    assert not meter.silent
    quiet = Meter(8000)
    list(quiet.through(iter([np.full(9, 1e-5)])))
    assert quiet.silent
    assert quiet.silence == "silent below 4000 Hz"


def test_a_rate_that_is_none_of_sound(tmp_path):
    path = write(tmp_path / "a.wav", music(2, 8000), 7)
    with pytest.raises(AudioError, match="7 samples per second, too few for sound"):
        open_audio(path)


def test_channels_many_and_rates_odd(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.1 * np.ones((7000, 6)), 70, subtype="FLOAT")
    blocks = list(mono_blocks(open_audio(path), 8000))
    assert sum(map(len, blocks)) == 100 * 8000
    assert max(map(len, blocks)) < 50 * 8000


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_mean_of_channels(channels):
    samples = np.random.default_rng(0).standard_normal((1001, channels)).astype(np.float32)
    mean = mean_of_channels(samples)
    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean, samples.mean(axis=1))


def tone(seconds=2.0, rate=44100, hertz=220.0, level=0.5):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def heard(path, rate=16000):
    audio = open_audio(path)
    return audio, np.concatenate(list(mono_blocks(audio, rate)))


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", tone(), 44100)

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(AudioError, match="may not be read; change its permissions"):
        open_audio(path)


@pytest.mark.parametrize("level", [0.002, -0.3, 1.0])
def test_a_constant_is_taken_away(tmp_path, level):
    audio, samples = heard(write(tmp_path / "a.wav", np.full(50000, level), 44100))
    assert audio.offset == pytest.approx(level, abs=1e-7)
    assert np.abs(samples).max() < 1e-6
    meter = Meter(16000)
    list(meter.through(iter([samples])))
    assert meter.silent


def test_an_offset_is_taken_away_and_a_small_mean_is_not(tmp_path):
    clean = write(tmp_path / "clean.wav", tone(), 44100)
    shifted = write(tmp_path / "shifted.wav", tone() + 0.01, 44100)
    assert open_audio(clean).offset == 0
    audio, samples = heard(shifted)
    assert audio.offset == pytest.approx(0.01, abs=1e-6)
    np.testing.assert_allclose(samples, read_mono(clean, 16000), atol=1e-6)
    # A hundredth of the deviation is the sound's own mean.
    assert open_audio(write(tmp_path / "a.wav", tone() + 0.003, 44100)).offset == 0


@pytest.mark.parametrize("channels", [2, 4])
def test_channels_that_cancel(tmp_path, channels):
    signs = np.array([1, -1] * (channels // 2))
    samples = tone()[:, None] * signs * np.linspace(1, 1.001, channels)
    audio, mono = heard(write(tmp_path / "a.wav", samples, 44100))
    assert audio.channel == channels - 1
    assert audio.notes == (f"its channels cancel each other, so only channel {channels} was used",)
    assert mono.std() == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_channels_that_do_not_cancel(tmp_path):
    wide = np.random.default_rng(0).standard_normal((40000, 2)) * 0.1
    for samples in (wide, tone()[:, None] * [1, 0], tone()[:, None] * [1, -0.5]):
        audio = open_audio(write(tmp_path / "a.wav", samples, 44100))
        assert (audio.channel, audio.notes) == (None, ())


@pytest.mark.parametrize(
    ("factor", "divisor"), [(32767, 2**15), (3e6, 2**23), (2e9, 2**31), (20, 10)]
)
def test_float_samples_at_the_scale_of_integers(tmp_path, factor, divisor):
    path = write(tmp_path / "a.wav", factor * tone(level=0.5), 44100)
    audio, mono = heard(path, 44100)
    assert audio.scale == pytest.approx(divisor, rel=1e-6)
    assert "where 1 is full scale" in audio.notes[0]
    np.testing.assert_allclose(mono, factor * tone(level=0.5) / divisor, atol=1e-6)


def test_an_overshoot_is_no_scale(tmp_path):
    audio = open_audio(write(tmp_path / "a.wav", tone(level=1.5), 44100))
    assert (audio.scale, audio.notes) == (1.0, ())


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "w64", "rf64"])
def test_a_file_that_was_cut_says_how_much_is_there(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    form = {"format": "RF64"} if ending == "rf64" else {}
    soundfile.write(path, tone(), 44100, subtype="PCM_16", **form)
    whole = path.read_bytes()
    assert open_audio(path).notes == ()
    path.write_bytes(whole[: len(whole) // 2])
    audio = open_audio(path)
    assert audio.duration_seconds == pytest.approx(1.0, abs=0.05)
    there = f"{audio.duration_seconds:.2f}"
    assert audio.notes == (f"only {there} of 2.00 s are in the file: it was cut",)


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "w64"])
def test_a_file_of_which_only_the_header_is_left(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, np.full(9000, 0.4), 44100, subtype="PCM_16")
    whole = path.read_bytes()
    header = len(whole) - 18000
    for end in range(1, header + 3):
        path.write_bytes(whole[:end])
        try:
            assert open_audio(path).frames == 1
        except AudioError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_file_that_was_cut_and_that_libsndfile_refuses(tmp_path):
    path = tmp_path / "a.caf"
    soundfile.write(path, tone(), 44100, subtype="PCM_16")
    whole = path.read_bytes()
    assert open_audio(path).notes == ()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match="was cut: only 49% of its sound is there"):
        open_audio(path)


def test_a_wav_that_was_written_to_a_pipe_is_not_called_cut(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), 44100, subtype="PCM_16")
    whole = bytearray(path.read_bytes())
    at = whole.find(b"data") + 4
    for size in (2**32 - 1, 2**31 - 1, 0):
        whole[at : at + 4] = size.to_bytes(4, "little")
        path.write_bytes(whole)
        if size:
            assert open_audio(path).notes == ()
            assert open_audio(path).duration_seconds == pytest.approx(2)


def test_an_ogg_file_that_was_cut(tmp_path):
    path = write(tmp_path / "a.ogg", np.random.default_rng(0).uniform(-0.5, 0.5, 90000), 44100)
    assert open_audio(path).notes == ()
    whole = path.read_bytes()
    # In the middle, within the last page, and one byte before its end.
    for end in (len(whole) // 2, whole.rfind(b"OggS") + 60, len(whole) - 1):
        path.write_bytes(whole[:end])
        (note,) = open_audio(path).notes
        assert re.fullmatch(r"breaks off after \d\.\d\d s: its end is missing", note)


def mp3(path, samples=None, **options):
    soundfile.write(path, tone() if samples is None else samples, 44100, **options)
    return path.read_bytes()


def frames_of(content):
    """Offsets of the frames of an MPEG-1 layer III stream at a constant sample rate of 44100 Hz."""
    rates = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    offsets, at = [], 0
    while at + 4 <= len(content) and content[at : at + 2] == b"\xff\xfb":
        offsets.append(at)
        at += 144000 * rates[content[at + 2] >> 4] // 44100 + (content[at + 2] >> 1 & 1)
    return [*offsets, at]


VARIABLE = {"bitrate_mode": "VARIABLE", "compression_level": 0.6}
CONSTANT = {"bitrate_mode": "CONSTANT", "compression_level": 0.6}


@pytest.mark.parametrize("options", [VARIABLE, CONSTANT], ids=["variable", "constant"])
@pytest.mark.parametrize("damage", ["none", "first frame", "within", "tagged", "after"])
def test_the_length_of_an_mp3_without_a_header_that_tells_it(tmp_path, options, damage):
    whole = mp3(tmp_path / "whole.mp3", **options)
    offsets = frames_of(whole)
    assert whole[offsets[-1] :] == b""
    second = whole[offsets[1] :]
    content = {
        "none": whole,
        "first frame": second,
        "within": whole[100:],
        "tagged": b"ID3\x03\0\0\0\0\x02\x01" + bytes(257) + second + b"TAG" + bytes(125),
        "after": b"junk \xff\xfb\x90" * 50 + second,
    }[damage]
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    audio, mono = heard(path, 44100)
    # The header also tells how many samples the encoder has put around the sound.
    expected = 2 * 44100 if damage == "none" else 1152 * (len(offsets) - 2)
    assert audio.frames == len(mono) == expected
    assert audio.notes == ()
    middle = mono[44100:66150]
    assert middle.std() == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_mp3_files_that_were_joined_are_heard_to_the_end(tmp_path):
    whole = mp3(tmp_path / "a.mp3")
    (tmp_path / "a.mp3").write_bytes(whole + whole)
    audio, mono = heard(tmp_path / "a.mp3", 44100)
    assert audio.duration_seconds == pytest.approx(4, abs=0.1)
    assert mono[-30000:].std() > 0.1


def test_an_mp3_that_was_cut_says_how_much_is_there(tmp_path):
    whole = mp3(tmp_path / "a.mp3")
    (tmp_path / "a.mp3").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        AudioError, match=r"only \d\.\d\d of 2\.00 s can be decoded; export it again"
    ):
        open_audio(tmp_path / "a.mp3")


SHARED = Path(__file__).parents[2].parent / "shared"
LENGTHS = {
    "banjo_A4_very-long_forte_normal": 168192,
    "cello_E5_1_forte_arco-normal": 49536,
    "contrabassoon_Ds3_15_fortissimo_normal": 93312,
    "double-bass_Gs3_15_forte_arco-normal": 85248,
    "french-horn_F4_long_forte_normal": 107136,
    "mandolin_G4_very-long_piano_normal": 131328,
}


@pytest.mark.skipif(not SHARED.exists(), reason="no real recordings at hand (../shared)")
@pytest.mark.parametrize("name", LENGTHS)
def test_real_mp3_files_without_a_length_header(name):
    """Lengths as ffmpeg 5.1 and mpg123 1.31 decode them, which agree."""
    path = SHARED / "data" / "recordings" / "mp3_without_length_header" / f"{name}.mp3"
    audio, mono = heard(path, 44100)
    assert audio.frames == len(mono) == LENGTHS[name]
    assert audio.notes == ()


def test_no_library_prints_into_the_terminal(tmp_path):
    whole = mp3(tmp_path / "a.mp3")
    damaged = bytearray(whole[frames_of(whole)[1] :])
    damaged[3000:4000] = bytes(1000)
    (tmp_path / "damaged.mp3").write_bytes(damaged)
    (tmp_path / "garbage.mp3").write_bytes(b"ID3" + np.random.default_rng(0).bytes(30000))
    code = (
        "import sys\nfrom mirtrim.listening.audio import AudioError, open_audio\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n        open_audio(path)\n"
        "    except AudioError as error:\n        print(error)\n"
    )
    names = [str(tmp_path / name) for name in ("damaged.mp3", "garbage.mp3")]
    done = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "garbage.mp3: " in done.stdout


def test_a_file_that_changes_while_it_is_heard(tmp_path):
    path = write(tmp_path / "a.wav", tone(), 44100)
    audio = open_audio(path)
    write(path, tone(1.0), 44100)
    with pytest.raises(AudioError, match="changed while it was being read"):
        list(mono_blocks(audio, 8000))


def test_where_something_sounds():
    meter = Meter(8000, 10)
    samples = np.concatenate([np.full(40, 0.3), tone(30 / 8000, 8000, 1000), np.full(35, 1e-5)])
    list(meter.through(iter([samples[:17], samples[17:]])))
    assert meter.sounding.tolist() == [False] * 4 + [True] * 3 + [False] * 4
    near = meter.sounds_at(np.arange(11), 1, 1)
    assert near.tolist() == [False] * 4 + [True] * 4 + [False] * 3
    assert not meter.silent
