"""Roman numerals, chord charts, and bands that play them."""

import itertools

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirtrim.corpora.rendering.chords.accompaniment import Played, play, step_times, voicing
from mirtrim.corpora.rendering.chords.accompanists import ACCOMPANISTS, players_of_split
from mirtrim.corpora.rendering.chords.harmony import (
    QUALITIES,
    STYLES,
    Change,
    Chord,
    chord_of,
    draw_chart,
    merged,
)
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL
from mirtrim.corpora.splits import SPLITS


@pytest.mark.parametrize(
    ("numeral", "tonic", "label"),
    [
        ("I", 0, "C:maj"),
        ("vi", 0, "A:min"),
        ("V7", 2, "A:7"),
        ("ii7", 10, "C:min7"),
        ("bVII", 0, "Bb:maj"),
        ("bIIImaj7", 9, "C:maj7"),
        ("iiø", 9, "B:hdim7"),
        ("IV9", 7, "C:9"),
        ("Vsus", 5, "C:sus4"),
        ("I6", 4, "E:maj6"),
    ],
)
def test_roman_numerals(numeral: str, tonic: int, label: str) -> None:
    assert chord_of(numeral, tonic).label == label


def test_what_is_no_numeral_is_refused() -> None:
    with pytest.raises(ValueError, match="'H7' is no Roman numeral"):
        chord_of("H7", 0)


def test_lead_sheets_have_triads() -> None:
    assert Chord(10, "9").triad_label == "Bb:maj"
    assert Chord(1, "min7").triad_label == "C#:min"
    assert Chord(11, "hdim7").triad_label == "B:hdim7"


def test_intervals_are_those_of_mir_eval() -> None:
    for quality, intervals in QUALITIES.items():
        root, tones, _ = mir_eval.chord.encode(f"C:{quality}", reduce_extended_chords=False)
        assert root == 0
        # A ninth is an extension to mir_eval, which adds no tone for it.
        sounding = {i for i in intervals if i < 12}
        assert set(np.flatnonzero(tones)) == sounding


def test_repeated_chords_become_one() -> None:
    c, g = Chord(0, "maj"), Chord(7, "maj")
    chart = [Change(c, 4), Change(c, 2), Change(None, 2), Change(g, 4), Change(c, 4)]
    assert merged(chart) == [Change(c, 6), Change(None, 2), Change(g, 4), Change(c, 4)]


def test_every_progression_of_every_style_can_be_read() -> None:
    for style in STYLES:
        for progression in (*style.major, *style.minor):
            assert all(chord_of(numeral, 3).root < 12 for numeral in progression.split())


@given(st.sampled_from(STYLES), st.integers(0, 11), st.booleans(), st.integers(1, 60))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_a_chart_is_long_enough(style, tonic, minor, beats) -> None:  # type: ignore[no-untyped-def]
    chart = draw_chart(style, tonic, minor, beats, np.random.default_rng(beats))
    assert sum(change.beats for change in chart) >= beats
    assert all(a.chord != b.chord for a, b in itertools.pairwise(chart))


def test_the_off_beat_is_delayed_by_swing() -> None:
    # 120 beats per minute, 3 beats begin before 1.2 s; the off-beat stands at 0.6 of a beat.
    np.testing.assert_allclose(step_times(1.2, 0.5, 0.6), [0, 0.3, 0.5, 0.8, 1.0, 1.3])


def test_a_voicing_holds_every_tone_of_the_chord_and_no_other() -> None:
    rng = np.random.default_rng(0)
    for player in ACCOMPANISTS.values():
        for quality, intervals in QUALITIES.items():
            for root in range(12):
                pitches = voicing(player, Chord(root, quality), rng)
                assert {p % 12 for p in pitches} == {(root + i) % 12 for i in intervals}
                assert pitches == sorted(pitches)
                assert pitches[0] >= player.lowest_pitch


def band(player: str, style: int, seed: int, seconds: float = 15.0) -> Played:
    rng = np.random.default_rng(seed)
    return play(ACCOMPANISTS[player], STYLES[style], 110, seed % 12, bool(seed % 2), seconds, rng)


@given(st.sampled_from(sorted(ACCOMPANISTS)), st.integers(0, 4), st.integers(0, 1000))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_what_is_played_is_what_is_annotated(player: str, style: int, seed: int) -> None:
    played = band(player, style, seed)
    segments = played.segments
    assert segments[0].start_seconds == 0
    assert segments[-1].end_seconds == 15.0
    for before, after in itertools.pairwise(segments):
        assert before.end_seconds == after.start_seconds
        assert before.chord != after.chord
    comping, bass = played.parts[0].notes, played.parts[1].notes
    for segment in segments:
        inside = [
            [n for n in notes if segment.start_seconds <= n.start_seconds < segment.end_seconds]
            for notes in (comping, bass)
        ]
        if segment.chord is None:
            assert inside == [[], []]
            continue
        tones = {(segment.chord.root + i) % 12 for i in QUALITIES[segment.chord.quality]}
        assert {n.pitch % 12 for n in inside[0]} == tones
        for notes in inside:
            # Both hands change together, exactly at the boundary, and none rings beyond it.
            assert min(n.start_seconds for n in notes) == segment.start_seconds
            assert max(n.end_seconds for n in notes) <= segment.end_seconds


def test_no_player_and_no_program_is_in_two_splits() -> None:
    programs: dict[int, str] = {}
    names = [name for split in SPLITS for name in players_of_split(split)]
    assert sorted(names) == sorted(ACCOMPANISTS)
    for player in ACCOMPANISTS.values():
        for program in (*player.comping, *player.bass, *player.melody):
            assert programs.setdefault(program, player.split) == player.split


def test_drums_are_the_only_thing_on_their_channel() -> None:
    kinds = {p.channel for seed in range(10) for p in band("00", 0, seed).parts}
    assert kinds == {0, 1, 2, DRUM_CHANNEL}
