"""Networks that other people wrote, cut by half: mirtrim beside Torch-Pruning 1.6.1.

python benchmarks/zoo.py [--kind audio] [--only WORD] [--alone] [--json FILE]

Needs an environment of its own, with whatever of these packages pip brings (a network whose
package is missing is left out, and said to be):

    pip install torchcrepe penn beat_this openunmix demucs torchvision torchaudio timm \
        transformers panns-inference piano-transcription-inference asteroid encodec vocos \
        pesto-pitch hear21passt BS-RoFormer x-transformers einops torch-pruning==1.6.1

Weights are random: what is measured is the engine. Each network runs in a process of its own.
Columns: parameters; what mirtrim does at ratio 2 (cut, refused, crash, wrong, changed input);
share of units that can never go, outputs and constants left out; the largest ratio; processor
seconds for discovery, cut and check; what Torch-Pruning does (cut: it still runs and returns the
same shapes).
"""

import argparse
import copy
import json
import resource
import signal
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SECONDS = 240
Entry = tuple[str, Callable[[], nn.Module], Callable[[], Any]]


def noise(*shape: int) -> Callable[[], Tensor]:
    """A random input."""
    return lambda: torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def _from(module: str, name: str, **options: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import importlib

        if module.startswith("penn"):
            # Its Viterbi decoder is compiled for one version of torch; no network needs it.
            sys.modules.setdefault("torbi", types.ModuleType("torbi"))
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        made: nn.Module = found(**options)
        return made

    return make


def _timm(name: str) -> Callable[[], nn.Module]:
    return _from("timm", "create_model", model_name=name, pretrained=False)


def _transformer(config: str, model: str, **options: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import transformers

        settings = getattr(transformers, config)(**options)
        made: nn.Module = getattr(transformers, model)(settings)
        return made

    return make


def _part(make: Callable[[], nn.Module], name: str) -> Callable[[], nn.Module]:
    return lambda: make().get_submodule(name)


_SMALL = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 192,
}
_PANNS = {
    "sample_rate": 32000,
    "window_size": 1024,
    "hop_size": 320,
    "mel_bins": 64,
    "fmin": 50,
    "fmax": 14000,
    "classes_num": 527,
}
_LONG_WAVE = noise(1, 32000 * 2)

AUDIO: list[Entry] = [
    ("torchcrepe tiny", _from("torchcrepe", "Crepe", model="tiny"), noise(4, 1024)),
    ("torchcrepe full", _from("torchcrepe", "Crepe", model="full"), noise(2, 1024)),
    ("penn FCNF0", _from("penn.model.fcnf0", "Fcnf0"), noise(2, 1, 1024)),
    ("penn CREPE", _from("penn.model.crepe", "Crepe"), noise(2, 1, 1024)),
    ("penn DeepF0", _from("penn.model.deepf0", "Deepf0"), noise(2, 1, 1024)),
    ("Beat This", _from("beat_this.model.beat_tracker", "BeatThis"), noise(1, 100, 128)),
    (
        "Beat This small",
        _from("beat_this.model.beat_tracker", "BeatThis", transformer_dim=128, n_layers=2),
        noise(1, 100, 128),
    ),
    (
        "Open-Unmix",
        _from("openunmix.model", "OpenUnmix", nb_bins=513, nb_channels=2, hidden_size=128),
        lambda: torch.rand(1, 2, 513, 20),
    ),
    (
        "Demucs",
        _from("demucs.demucs", "Demucs", sources=["a", "b"], channels=16, depth=4),
        noise(1, 2, 8192),
    ),
    (
        "HDemucs",
        _from("demucs.hdemucs", "HDemucs", sources=["a", "b"], channels=16),
        noise(1, 2, 44100),
    ),
    (
        "HTDemucs",
        _from(
            "demucs.htdemucs",
            "HTDemucs",
            sources=["a", "b"],
            channels=16,
            t_layers=2,
            segment=1,
            use_train_segment=False,
        ),
        noise(1, 2, 44100),
    ),
    ("PANNs Cnn14", _from("panns_inference.models", "Cnn14", **_PANNS), _LONG_WAVE),
    (
        "PANNs Cnn14 framewise",
        _from(
            "panns_inference.models",
            "Cnn14_DecisionLevelMax",
            **{**_PANNS, "interpolate_mode": "nearest"},
        ),
        _LONG_WAVE,
    ),
    (
        "piano transcription notes",
        _from(
            "piano_transcription_inference.models",
            "Regress_onset_offset_frame_velocity_CRNN",
            frames_per_second=100,
            classes_num=88,
        ),
        noise(1, 16000),
    ),
    (
        "piano transcription pedal",
        _from(
            "piano_transcription_inference.models",
            "Regress_pedal_CRNN",
            frames_per_second=100,
            classes_num=1,
        ),
        noise(1, 16000),
    ),
    (
        "PESTO encoder",
        _from("pesto.model", "Resnet1d", n_chan_layers=[20, 20, 10]),
        noise(4, 1, 216),
    ),
    ("EnCodec encoder", _from("encodec.modules", "SEANetEncoder"), noise(1, 1, 3200)),
    ("EnCodec decoder", _from("encodec.modules", "SEANetDecoder"), noise(1, 128, 10)),
    (
        "Vocos backbone",
        _from(
            "vocos.models",
            "VocosBackbone",
            input_channels=100,
            dim=128,
            intermediate_dim=384,
            num_layers=4,
        ),
        noise(1, 100, 30),
    ),
    (
        "Vocos ResNet",
        _from("vocos.models", "VocosResNetBackbone", input_channels=100, dim=64, num_blocks=2),
        noise(1, 100, 30),
    ),
    (
        "Asteroid ConvTasNet",
        _from("asteroid.models", "ConvTasNet", n_src=2, n_blocks=3, n_repeats=2),
        noise(1, 1, 8000),
    ),
    (
        "Asteroid DPRNN",
        _from("asteroid.models", "DPRNNTasNet", n_src=2, n_repeats=2),
        noise(1, 1, 8000),
    ),
    ("Asteroid DPTNet", _from("asteroid.models", "DPTNet", n_src=2), noise(1, 1, 8000)),
    ("Asteroid LSTM-TasNet", _from("asteroid.models", "LSTMTasNet", n_src=2), noise(1, 1, 8000)),
    ("Asteroid SuDoRM-RF", _from("asteroid.models", "SuDORMRFNet", n_src=2), noise(1, 1, 8000)),
    ("Asteroid DeMask", _from("asteroid.models", "DeMask"), noise(1, 1, 16000)),
    (
        "torchaudio ConvTasNet",
        _from("torchaudio.models", "ConvTasNet", msk_num_layers=3, msk_num_stacks=2),
        noise(1, 1, 8000),
    ),
    (
        "torchaudio HDemucs",
        _from("torchaudio.models", "HDemucs", sources=["a", "b"], channels=16),
        noise(1, 2, 44100),
    ),
    (
        "torchaudio wav2vec 2.0",
        _from("torchaudio.models", "wav2vec2_base", aux_num_out=32),
        noise(1, 8000),
    ),
    (
        "torchaudio HuBERT",
        _from("torchaudio.models", "hubert_base", aux_num_out=32),
        noise(1, 8000),
    ),
    (
        "torchaudio DeepSpeech",
        _from("torchaudio.models", "DeepSpeech", n_feature=64, n_hidden=128),
        noise(1, 1, 50, 64),
    ),
    ("torchaudio wav2letter", _from("torchaudio.models", "Wav2Letter"), noise(1, 1, 4000)),
    (
        "torchaudio Conformer",
        _from(
            "torchaudio.models",
            "Conformer",
            input_dim=64,
            num_heads=4,
            ffn_dim=128,
            num_layers=2,
            depthwise_conv_kernel_size=31,
        ),
        lambda: (torch.randn(2, 60, 64), torch.tensor([60, 50])),
    ),
    (
        "torchaudio Emformer",
        _from(
            "torchaudio.models",
            "Emformer",
            input_dim=64,
            num_heads=4,
            ffn_dim=128,
            num_layers=2,
            segment_length=4,
            right_context_length=1,
        ),
        lambda: (torch.randn(2, 41, 64), torch.tensor([41, 30])),
    ),
    (
        "torchaudio Tacotron 2 encoder",
        _part(_from("torchaudio.models", "Tacotron2"), "encoder"),
        lambda: (torch.randn(2, 512, 20), torch.tensor([20, 15])),
    ),
    (
        "torchaudio WaveRNN upsampling",
        _part(
            _from(
                "torchaudio.models",
                "WaveRNN",
                upsample_scales=[5, 5, 8],
                n_classes=512,
                hop_length=200,
            ),
            "upsample",
        ),
        noise(1, 128, 20),
    ),
    (
        "wav2vec 2.0 (transformers)",
        _transformer("Wav2Vec2Config", "Wav2Vec2Model", num_conv_pos_embedding_groups=4, **_SMALL),
        noise(1, 8000),
    ),
    (
        "HuBERT (transformers)",
        _transformer("HubertConfig", "HubertModel", num_conv_pos_embedding_groups=4, **_SMALL),
        noise(1, 8000),
    ),
    (
        "AST (transformers)",
        _transformer("ASTConfig", "ASTForAudioClassification", max_length=128, **_SMALL),
        noise(1, 128, 128),
    ),
    (
        "Whisper encoder (transformers)",
        _part(
            _transformer(
                "WhisperConfig",
                "WhisperModel",
                d_model=96,
                encoder_layers=2,
                decoder_layers=2,
                encoder_attention_heads=4,
                decoder_attention_heads=4,
                encoder_ffn_dim=192,
                decoder_ffn_dim=192,
                max_source_positions=100,
            ),
            "encoder",
        ),
        noise(1, 80, 200),
    ),
    (
        "PaSST",
        _from(
            "hear21passt.models.passt",
            "PaSST",
            embed_dim=96,
            depth=2,
            num_heads=4,
            img_size=(128, 100),
            stride=(16, 16),
        ),
        noise(1, 1, 128, 100),
    ),
    (
        "BS-RoFormer",
        _from(
            "bs_roformer",
            "BSRoformer",
            dim=32,
            depth=1,
            time_transformer_depth=1,
            freq_transformer_depth=1,
        ),
        noise(1, 44100),
    ),
]

VISION: list[Entry] = [
    (name, _from("torchvision.models", name, weights=None), noise(1, 3, size, size))
    for name, size in (
        ("resnet18", 64),
        ("resnext50_32x4d", 64),
        ("densenet121", 64),
        ("mobilenet_v2", 64),
        ("mobilenet_v3_small", 64),
        ("efficientnet_b0", 64),
        ("efficientnet_v2_s", 64),
        ("googlenet", 96),
        ("inception_v3", 128),
        ("shufflenet_v2_x1_0", 64),
        ("squeezenet1_1", 64),
        ("mnasnet1_0", 64),
        ("regnet_y_400mf", 64),
        ("convnext_tiny", 64),
        ("vgg11_bn", 32),
        ("alexnet", 96),
        ("vit_b_16", 224),
        ("swin_t", 64),
        ("maxvit_t", 224),
    )
] + [
    (f"timm {name}", _timm(name), noise(1, 3, size, size))
    for name, size in (
        ("vit_tiny_patch16_224", 224),
        ("deit_tiny_patch16_224", 224),
        ("mixer_s16_224", 224),
        ("resmlp_12_224", 224),
        ("convnextv2_atto", 64),
        ("ghostnet_100", 64),
        ("hrnet_w18_small", 64),
        ("dla34", 64),
        ("res2net50_26w_4s", 64),
        ("seresnet18", 64),
        ("skresnet18", 64),
        ("cspresnet50", 64),
        ("repvgg_a0", 64),
        ("vovnet39a", 64),
        ("poolformer_s12", 64),
        ("levit_128s", 224),
        ("nfnet_l0", 64),
    )
]


def examine(entry: Entry, side: str) -> dict[str, Any]:
    """What mirtrim (side "ours") or Torch-Pruning ("theirs") makes of one network."""
    name, make, example = entry
    torch.manual_seed(0)
    torch.set_num_threads(1)
    try:
        model, inputs = make().eval(), example()
    except (ImportError, OSError) as error:
        return {"network": name, "mirtrim": "not installed", "why": str(error)}
    found: dict[str, Any] = {
        "network": name,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    if side == "ours":
        found.update(_ours(model, inputs))
    else:
        found["torch_pruning"] = _theirs(make, inputs)
    return found


def _ours(model: nn.Module, inputs: Any) -> dict[str, Any]:
    import numpy as np

    import mirtrim
    from mirtrim.pruning.selection import choose_units
    from mirtrim.units.finding import discover

    before = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = {n: dict(vars(m)) for n, m in model.named_modules()}
    found: dict[str, Any] = {}
    started = time.process_time()
    try:
        small = mirtrim.trim(model, inputs, ratio=2)
        found["mirtrim"] = "cut"
        found["law"] = small.trim_report.equivalence_difference
    except mirtrim.utils.errors.MirtrimError as error:
        found["mirtrim"] = "wrong" if "differ by" in str(error) else "refused"
        found["why"] = str(error)
    except Exception as error:
        found["mirtrim"], found["why"] = "crash", f"{type(error).__name__}: {error}"
    found["seconds"] = round(time.process_time() - started, 2)
    same = all(torch.equal(before[n], v) for n, v in model.state_dict().items())
    for name, module in model.named_modules():
        same = same and vars(module).keys() == attributes[name].keys()
    if not same:
        found["mirtrim"] = "changed input"
    try:
        graph = discover(model, inputs)
        # Outputs are no choice of anybody's, and constant front ends are no layers.
        others = sum(
            count
            for why, count in graph.kept.items()
            if why.endswith(("an output of the network", "is a buffer", "a frozen front end"))
        )
        units = sum(len(layer.groups) for layer in graph.layers) - others
        found["pinned"] = round((sum(graph.kept.values()) - others) / max(units, 1), 3)
        found["kept"] = dict(list(graph.kept.items())[:3])
        try:
            choose_units(graph, np.ones(graph.group_count), 0)
        except mirtrim.utils.errors.RatioError as error:
            found["largest"] = float(str(error).partition("ratio from here: ")[2].split(";")[0])
    except Exception as error:
        found.setdefault("why", f"{type(error).__name__}: {error}")
    return found


def _theirs(make: Callable[[], nn.Module], inputs: Any) -> str:
    import torch_pruning

    model = make().eval()
    positional = inputs if isinstance(inputs, tuple) else (inputs,)
    try:
        with torch.no_grad():
            expected = _shapes(model(*positional))
        last = [m for m in model.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
        pruner = torch_pruning.pruner.BasePruner(
            model,
            inputs,
            importance=torch_pruning.importance.MagnitudeImportance(p=1),
            pruning_ratio=0.3,
            ignored_layers=last[-1:],
        )
        count = sum(p.numel() for p in model.parameters())
        pruner.step()
        if sum(p.numel() for p in model.parameters()) == count:
            return "nothing cut"
        with torch.no_grad():
            found = _shapes(copy.deepcopy(model)(*positional))
    except Exception as error:
        return f"fails ({type(error).__name__})"
    return "cut" if found == expected else "other shapes"


def _shapes(outputs: Any) -> list[tuple[int, ...]]:
    from mirtrim.units.nesting import tensors_in

    return [tuple(tensor.shape) for tensor in tensors_in(outputs)]


def _in_process(name: str, side: str, seconds: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", name, "--side", side, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    column = "mirtrim" if side == "ours" else "torch_pruning"
    if done.returncode == -signal.SIGXCPU:
        return {"network": name, column: f"not done in {seconds} s"}
    return {"network": name, column: "crash", "why": done.stderr[-300:]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="networks of other people, cut by half")
    parser.add_argument("--only", default="", help="networks whose name has this word")
    parser.add_argument("--kind", choices=("audio", "vision"), help="only these")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--side", default="ours", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of processor, for each")
    parser.add_argument("--alone", action="store_true", help="without Torch-Pruning")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    kinds = {"audio": AUDIO, "vision": VISION, None: AUDIO + VISION}
    entries = {entry[0]: entry for entry in kinds[options.kind]}
    if options.one:
        # Seconds of the processor: a busy machine changes nothing.
        resource.setrlimit(resource.RLIMIT_CPU, (options.seconds, options.seconds + 5))
        warnings.simplefilter("ignore")
        print(json.dumps(examine(entries[options.one], options.side)))
        return
    rows = []
    print("network | parameters | mirtrim | pinned | largest | seconds | Torch-Pruning", flush=True)
    for name in entries:
        if options.only.lower() not in name.lower():
            continue
        row = _in_process(name, "ours", options.seconds)
        if not options.alone and row["mirtrim"] != "not installed":
            row |= _in_process(name, "theirs", options.seconds // 4)
        rows.append(row)
        cells = [row.get(k, "") for k in ("pinned", "largest", "seconds", "torch_pruning")]
        print(
            f"{name} | {row.get('parameters', 0):,} | {row['mirtrim']} | "
            + " | ".join(map(str, cells))
            + (f" | {row['why'][:160]}" if "why" in row else ""),
            flush=True,
        )
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
