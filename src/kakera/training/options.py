"""Every option of training and its default: the papers' values. Recipes hold differences. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

FLAGS = {"start": "--init-from"}  # `from` is a word of Python's own; all others are named as their option
Pooling: TypeAlias = Literal["mean", "class", "class and mean"]


@dataclass(frozen=True)
class DataOptions:
    """Where the pictures come from and how they are read."""

    data: str
    """A folder, a table (CSV, TSV), IDX or .npz files, or a built-in name: demo, fashion-mnist, fillets."""
    image: int = 0
    """Side of the square the model sees, in pixels; 0 takes the pictures' own up to 64, else 224."""
    channels: int = 0
    """1 (grey), 3 (colour) or those of the TIFFs; 0 takes what the pictures have."""
    kind: Literal["any", "pictures", "recordings"] = "any"
    """What to take where both are there; any takes what the model to start from takes, else what most are."""
    bits: int = 0
    """Bits of the values in 16-bit and 32-bit files, such as 12 for 0 to 4095; 0 measures a sample."""
    value_range: tuple[float, ...] = ()
    """Black and white in files of 16 bits, 32 bits or floats, such as 0 1000; empty measures a sample."""
    crop_pct: float = 1.0
    """In evaluation, see this share of a picture's shorter side; the MAE paper takes 0.875, 224 of 256."""
    workers: int = -1
    """Processes that read pictures; -1 chooses: none for pictures in memory, else one a core."""
    seed: int = 0
    """Every random number follows from it."""


@dataclass(frozen=True)
class LearningOptions:
    """How the weights are moved."""

    time: str = ""
    """How long it may take, such as 10m or 2h30m: network and epochs follow; empty for at most 30 minutes."""
    epochs: float = 100
    """Passes over the training pictures."""
    min_steps: int = 0
    """With few pictures, train for at least this many steps."""
    batch: int = 1024
    """Pictures a step."""
    base_lr: float = 5e-4
    """Learning rate for a batch of 256; the rate used is base_lr * batch / 256."""
    weight_decay: float = 0.05
    """AdamW's, on matrices only."""
    beta2: float = 0.999
    """AdamW's second."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """AdamW, or Muon for the matrices of Transformer layers (Jordan et al. 2024): fewer steps."""
    warmup_epochs: float = 5
    """Linear warm-up before the cosine."""
    clip: float = 1.0
    """Largest norm of the gradient; 0 for no limit."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""
    precision: str = "auto"
    """32-true, bf16-mixed, …; auto is 32-true on a CPU and bf16-mixed on a GPU."""
    compile: Literal["auto", "yes", "no"] = "auto"
    """Compile the step before training; auto does on a GPU, not on a CPU, where it gains little."""
    checkpoint_seconds: float = 60
    """How often to save what is needed to go on."""
    unreadable_share: float = 0.5
    """Training ends where more than this share of the training files cannot be read."""
    devices: int = 0
    """Processes on each machine, one a device; 0 takes what torchrun or SLURM started, else one."""
    nodes: int = 0
    """Machines; 0 takes what torchrun or SLURM started, else one."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """With several processes: each holds all weights (ddp), or its share of them (fsdp)."""
    accumulate: int = 0
    """Pieces that a process takes a batch in, for less memory; 0 fits them to the memory there is."""
    recompute: bool = False
    """Compute layers again for their gradients instead of keeping them: less memory, a third more time."""
    timeout: float = 600
    """Seconds to wait for another process before the run is given up."""


@dataclass(frozen=True)
class SoundOptions:
    """How recordings are heard, and made different in training."""

    sound: str = "ast"
    """Of recordings: ast, speech or music, with changes such as speech,bins=64 where they are wanted."""
    seconds: float = 0.0
    """Of recordings: how much the model hears at once; 0 takes 10.24 seconds."""
    roll: float = 0.0
    """Turn recordings around by up to this many seconds."""
    gain: float = 0.0
    """Make recordings louder or softer by up to this many decibels."""
    noise: float = 0.0
    """Give recordings white noise of up to this share of their own loudness."""


@dataclass(frozen=True)
class PretrainOptions(SoundOptions, LearningOptions, DataOptions):
    """A masked autoencoder (MAE paper, App. A.1)."""

    out: str = ""
    """The run folder."""
    size: str = "base"
    """A row of the table of sizes: nano, micro, mini, tiny, small, base, large, huge."""
    patch: tuple[int, ...] = ()
    """Side of a patch in pixels, or its height and width; empty takes the size's own."""
    hide: float = 0.75
    """Share of the patches that are hidden."""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"] = "random"
    """Which patches are hidden; of spectrograms rows are frequencies, cols times, cross both."""
    decoder: Literal["joint", "cross"] = "joint"
    """All places attend to all, or hidden ones to the encoder's tokens alone (Fu et al. 2024): cheaper."""
    predicted: float = 1.0
    """Share of the hidden patches that are predicted, drawn anew each time."""
    normalised: bool = True
    """Predict each patch with its mean and deviation taken out; otherwise plain pixels."""
    gradients: bool = False
    """Predict oriented gradients too (Wei et al. 2022): better tokens after few epochs."""
    epochs: float = 800
    base_lr: float = 1.5e-4
    beta2: float = 0.95
    warmup_epochs: float = 40
    batch: int = 4096
    crop_min_scale: float = 0.2
    """Random-size crops take at least this share of a picture; 1 for none."""
    shift: int = 0
    """Move pictures by up to this many pixels."""
    flip: bool = True
    """Mirror half of the pictures."""


@dataclass(frozen=True)
class FinetuneOptions(SoundOptions, LearningOptions, DataOptions):
    """A classifier, from a pretrained encoder or from scratch (MAE paper, App. A.1, Table 9)."""

    out: str = ""
    """The run folder."""
    start: str = ""
    """A run, or weights of another library, to start from; empty trains from scratch."""
    model: str = "base"
    """Without a start: a size of the Vision Transformer, or a ResNet such as resnet-18."""
    patch: tuple[int, ...] = ()
    """Without a start: side of a patch in pixels, or its height and width; empty takes the size's own."""
    stride: tuple[int, ...] = ()
    """Without a start: from one patch to the next, where they should overlap; empty for side by side."""
    labels: int = 0
    """How many labelled pictures to use, equally from each class; 0 for all."""
    label_seed: int = 0
    """Which ones."""
    pool: Pooling = "mean"
    """What the head reads: the mean of the patch tokens, the class token, or both side by side."""
    head: Literal["zero", "ridge"] = "zero"
    """Where a head on a pretrained Transformer starts: near zero, or at ridge regression on its tokens."""
    layer_decay: float = 0.65
    """Each layer learns this much slower than the one above it (from a start only)."""
    drop_path: float = 0.1
    """Stochastic depth of the last layer."""
    smoothing: float = 0.1
    """Label smoothing."""
    class_balance: float = 0.0
    """Of single labels: logit adjustment (Menon et al. 2021) for rare classes, from 0, none, to 1, full."""
    mixup: float = 0.8
    """Beta parameter of mixup; 0 for none. Recordings are mixed as waveforms."""
    cutmix: float = 1.0
    """Beta parameter of cutmix; 0 for none."""
    randaugment: float = 9.0
    """Magnitude of RandAugment, two operations a picture; 0 for none."""
    erasing: float = 0.25
    """Probability of random erasing."""
    ema: float = 0.0
    """Decay of the moving average of the weights; 0 for none."""
    crop_min_scale: float = 0.08
    """Random-size crops take at least this share of a picture; 1 for none."""
    shift: int = 0
    """Move pictures by up to this many pixels."""
    flip: bool = True
    """Mirror half of the pictures."""
    time_mask: float = 0.0
    """SpecAugment: blank up to this many seconds of a spectrogram."""
    freq_mask: int = 0
    """SpecAugment: blank up to this many mel bands of a spectrogram."""
    baselines: bool = True
    """Measure simple classifiers on the same split, and say in the report whether this one is above them."""


@dataclass(frozen=True)
class ProbeOptions(DataOptions):
    """Classifiers on frozen tokens."""

    start: str = ""
    """The run whose tokens are probed."""
    out: str = ""
    """A folder for probe.json, report.html and the fine-tunings; empty writes none."""
    time: str = ""
    """How long it may take, such as 10m: fine-tuning is cut to it; empty for at most 30 minutes."""
    probes: tuple[Literal["ridge", "logistic", "nearest", "linear"], ...] = ("ridge", "logistic", "nearest")
    """Which; linear is the MAE paper's protocol."""
    pools: tuple[Pooling, ...] = ("class", "mean")
    """Class token, mean of the patch tokens, or both side by side."""
    layers: tuple[int, ...] = (-1,)
    """Layers whose tokens are read; -1 is the last, after the final norm."""
    device: str = "auto"
    """Where tokens are computed and networks fine-tuned: cpu, cuda, mps or auto."""
    labels: tuple[int, ...] = (100, 1000, 0)
    """How many labels to use; 0 for all."""
    seeds: int = 3
    """How many draws of the labels."""
    finetune: bool = True
    """Show fine-tuning beside the probes."""
    finetune_recipe: str = ""
    """Its recipe; empty takes the one for these pictures."""
    baselines: bool = True
    """With --out, measure simple classifiers on the same split for the report."""
