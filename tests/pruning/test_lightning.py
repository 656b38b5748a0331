"""The callback for Lightning: the same bits as a loop of one's own, and a stopped training."""

import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import mirtrim

try:
    import lightning.pytorch as pl
except ImportError:
    pl = pytest.importorskip("pytorch_lightning", reason="Lightning is not installed")

from mirtrim.pruning.lightning import FeedbackCallback

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > X[:, 1]).long()


def network():
    torch.manual_seed(1)
    layers = nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 2)
    return nn.Sequential(*layers)


class Lit(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = network()
        self.example_input_array = X[:2]

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), 0.01)


def loader():
    return DataLoader(TensorDataset(X, Y), batch_size=8)


def fit(lit, callback, folder, epochs=3, accumulate=1, checkpoint=None):
    trainer = pl.Trainer(
        max_epochs=epochs,
        accumulate_grad_batches=accumulate,
        callbacks=[callback],
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice about workers
        trainer.fit(lit, loader(), ckpt_path=checkpoint)
    return trainer


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("of", ["weights", "units"])
def test_a_trainer_and_a_loop_agree_to_the_bit(of, accumulate, tmp_path):
    callback = FeedbackCallback(4, of=of, module="net", period=2)
    fit(Lit(), callback, tmp_path, accumulate=accumulate)
    own = network()
    optimizer = torch.optim.Adam(own.parameters(), 0.01)
    steps = 24 // accumulate
    with mirtrim.feedback(
        own, optimizer, 4, steps, of=of, example_inputs=X[:2], period=2
    ) as pruning:
        for _ in range(3):
            for index, (inputs, targets) in enumerate(loader()):
                (nn.functional.cross_entropy(own(inputs), targets) / accumulate).backward()
                if (index + 1) % accumulate == 0:
                    optimizer.step()
                    optimizer.zero_grad()
                    pruning.step()
    found, expected = callback.pruning.model.state_dict(), pruning.model.state_dict()
    assert callback.pruning.steps == steps
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_stopped_training_goes_on_from_a_checkpoint(tmp_path):
    whole = FeedbackCallback(4, steps=24, module="net", period=2)
    fit(Lit(), whole, tmp_path)
    first = FeedbackCallback(4, steps=24, module="net", period=2)
    first.on_train_end = lambda trainer, pl_module: None
    trainer = fit(Lit(), first, tmp_path, epochs=1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    first.pruning._stepper.__exit__()
    second = FeedbackCallback(4, steps=24, module="net", period=2)
    fit(Lit(), second, tmp_path, checkpoint=tmp_path / "one.ckpt")
    found = second.pruning.model.state_dict()
    assert second.pruning.steps == 24
    assert all(torch.equal(found[n], t) for n, t in whole.pruning.model.state_dict().items())


def test_units_of_the_whole_module_are_refused(tmp_path):
    with pytest.raises(mirtrim.MirtrimError, match="module="):
        fit(Lit(), FeedbackCallback(4, of="units"), tmp_path)
