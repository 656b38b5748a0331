"""Fifteen rounds of seven published networks, against the recorded counts."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from mirtrim.counting.operations import macs, parameters
from mirtrim.models.chord_convnet import ChordConvNet
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN
from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.utils.seeds import torch_generator
from tests.counting.replicated_counter import replicated_flops
from tests.pruning.replicated import keep_percentage

# network, input shape, percent of units removed per round, recorded parameters of rounds
# 0 … 14, recorded operations of the same rounds.
GOLDEN: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int, str, str]] = {
    "instrument": (
        WaveformCNN,
        (32_768,),
        25,
        "796558 499118 319046 208184 137968 93380 63682 44176 31372 21998 15626 11692 8942 6778"
        " 5176",
        "571616512 328737344 190317072 111105168 64077288 38294388 22355774 13135586 8289474"
        " 4487176 2974486 2970552 2967802 2965638 2964036",
    ),
    "singing": (
        lambda: WaveformCNN(samples=132_300, classes=10, kernel=256),
        (132_300,),
        25,
        "1360779 774827 442883 254405 144361 84015 47755 27239 16485 8769 5489 4929 4589 4353 4197",
        "663368960 398976992 243798496 151667088 94381904 61162184 39206420 25434266 17535758"
        " 10664287 7613129 7612569 7612229 7611993 7611837",
    ),
    "drums": (
        lambda: SpectralCNN(detectors=3, outputs_per_frame=2),
        (64, 50),
        25,
        "8038701 5525549 3861101 2736749 1963226 1420007 1035996 757590 558995 412245 306554"
        " 224480 165063 122331 90594",
        "2659569408 1502960640 850630080 482390528 274278016 152766096 87562352 48379992"
        " 26558726 15594612 8673076 4577426 2347302 1257182 821676",
    ),
    "onsets, first version": (
        lambda: SpectralCNN(outputs_per_frame=2, detector_hidden=False),
        (64, 50),
        25,
        "4678757 3031141 2015845 1378357 969982 700624 522854 399974 316333 257489 216037 184678"
        " 162452 146768 135317",
        "2656209664 1500466432 848785024 481032384 273285056 152046928 87049400 48022576"
        " 26316264 15440056 8582759 4537824 2344891 1281819 866599",
    ),
    "onsets": (
        lambda: SpectralCNN(outputs_per_frame=2),
        (64, 50),
        25,
        "5730405 3794277 2562597 1762821 1232730 872085 625568 450846 328887 240741 177876 129612"
        " 94989 70289 52076",
        "2657261312 1501229568 849331776 481416832 273547776 152218384 87152112 48073448"
        " 26328818 15423308 8544598 4482758 2277428 1205340 783358",
    ),
    "chord": (
        ChordConvNet,
        (105, 15),
        20,
        "416207 322495 247424 191235 148791 114286 90486 70489 59129 49189 42089 36409 30729"
        " 26469 23629",
        "27237050 17676718 11025410 7195095 4658829 3092437 2194974 1765585 1754225 1744285"
        " 1737185 1731505 1725825 1721565 1718725",
    ),
    "pitch": (
        Crepe,
        (1024,),
        11,
        "486552 417229 356360 307916 265107 239209 215874 194910 175354 157913 150087 142261"
        " 135142 128023 121611",
        "36904448 30485248 25083392 20643632 16823136 14282080 12085856 10209888 8464992"
        " 7007584 6189616 5371648 4710096 4048544 3543408",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_recorded_rounds(name: str) -> None:
    build, shape, percent, recorded_parameters, recorded_flops = GOLDEN[name]
    expected_parameters = [int(number) for number in recorded_parameters.split()]
    expected_flops = [int(number) for number in recorded_flops.split()]
    example = torch.zeros(1, 1, *shape)
    generator = torch_generator(0, name)
    network = build().eval()
    counted, flops = [], []
    for round_number in range(15):
        if round_number > 0:
            graph = discover(network, example)
            # Any scores give the recorded sizes: the schedule fixes how many, not which.
            scores = {
                layer.name: torch.rand(len(layer.groups), generator=generator)
                for layer in graph.layers
            }
            keep = keep_percentage(graph, scores, percent, network.published_protected())
            network = cut(network, graph, keep)
            assert graph.parameters(keep) == parameters(network)
        counted.append(parameters(network))
        flops.append(replicated_flops(network, example))
    assert counted == expected_parameters
    assert flops == expected_flops
    # What the graph promised for the last cut is what an independent counter finds.
    assert graph.macs(keep) == macs(network, example)
