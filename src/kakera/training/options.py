"""Every option of training and its default: the papers' values. Recipes hold differences. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from kakera.option_fields import Auto, within

Probe: TypeAlias = Literal["ridge", "logistic", "nearest", "linear"]
Pooling: TypeAlias = Literal["mean", "class", "class and mean"]


@dataclass(frozen=True)
class DataOptions:
    """Where the pictures come from and how they are read."""

    data: str
    """A folder, a table (CSV, TSV), IDX or .npz files, or a built-in name: demo, fashion-mnist, fillets."""
    image_size: int | Auto = within("auto", 1, 8192)
    """Side of the square the model sees, in pixels; auto takes the pictures' own up to 64, else 224."""
    channels: int | Auto = within("auto", 1, 4)
    """1 (grey), 3 (colour) or those of the TIFFs; auto takes what the pictures have."""
    kind: Literal["any", "pictures", "recordings"] = "any"
    """What to take where both are there; any takes what the model to start from takes, else what most are."""
    bits: int | Auto = within("auto", 1, 32)
    """Bits of the values in 16-bit and 32-bit files, such as 12 for 0 to 4095; auto measures a sample."""
    value_range: tuple[float, ...] | Auto = "auto"
    """Black and white in files of 16 bits, 32 bits or floats, such as 0 1000; auto measures a sample."""
    crop_pct: float = within(1.0, 1e-3, 1.0)
    """In evaluation, see this share of a picture's shorter side; the MAE paper takes 0.875, 224 of 256."""
    workers: int | Auto = within("auto", 0)
    """Processes that read files, 0 for none; auto takes none for data in memory, else one a core."""
    seed: int = 0
    """Random seed: the same seed gives the same run."""


@dataclass(frozen=True)
class LearningOptions:
    """How the weights are moved."""

    time: str = "auto"
    """How long it may take, such as 10m or 2h30m: network and epochs follow; auto is at most 30 minutes."""
    epochs: float = within(100, 1e-9, 1e9)
    """Passes over the training pictures."""
    min_steps: int = 0
    """With few pictures, train for at least this many steps."""
    batch_size: int = within(1024, 1, 1 << 24)
    """Pictures or recordings a step."""
    base_lr: float = within(5e-4, 0.0, 1e6)
    """Learning rate for a batch of 256; the rate used is base_lr * batch_size / 256."""
    weight_decay: float = within(0.05, 0.0, 1e3)
    """AdamW's weight decay, on matrices only."""
    beta2: float = 0.999
    """AdamW's beta2."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """AdamW, or Muon for the matrices of Transformer layers (Jordan et al. 2024): fewer steps."""
    warmup_epochs: float = 5
    """Linear warm-up before the cosine."""
    grad_clip: float = within(1.0, 0.0)
    """Largest norm of the gradient; 0 for no limit."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""
    precision: str = "auto"
    """32-true, bf16-mixed, …; auto is 32-true on a CPU and bf16-mixed on a GPU."""
    compile: Literal["auto", "yes", "no"] = "auto"
    """Compile the step before training; auto does on a GPU, not on a CPU, where it gains little."""
    checkpoint_seconds: float = 60
    """Seconds between two checkpoints, from which the same command resumes."""
    unreadable_share: float = within(0.5, 0.0, 1.0)
    """Training ends where more than this share of the training files cannot be read."""
    devices: int | Auto = within("auto", 1, 4096)
    """Processes on each machine, one a device; auto takes what torchrun or SLURM started, else one."""
    nodes: int | Auto = within("auto", 1, 65536)
    """Machines; auto takes what torchrun or SLURM started, else one."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """With several processes: each holds all weights (ddp), or its share of them (fsdp)."""
    grad_accum: int | Auto = within("auto", 1, 1 << 20)
    """Pieces that a process takes a batch in, for less memory; auto fits them to the free memory."""
    activation_checkpointing: bool = False
    """Compute layers again for their gradients instead of keeping them: less memory, a third more time."""
    timeout: float = within(600, 1.0, 1e6)
    """Seconds to wait for another process before the run is given up."""


@dataclass(frozen=True)
class SoundOptions:
    """How recordings are read, and augmented in training."""

    sound: str = "ast"
    """Spectrogram of recordings: ast, speech or music, also with changes, such as speech,bins=64."""
    seconds: float | Auto = within("auto", 0.0, 3600.0, open=True)
    """Seconds of a recording that the model hears at once; auto takes the recipe's, else 10.24."""
    time_shift: float = within(0.0, 0.0, 3600.0)
    """Shift recordings circularly in time by up to this many seconds."""
    gain: float = within(0.0, 0.0, 60.0)
    """Make recordings louder or softer by up to this many decibels."""
    noise: float = within(0.0, 0.0, 10.0)
    """Add white noise to recordings, up to this share of their own loudness."""


@dataclass(frozen=True)
class PretrainOptions(SoundOptions, LearningOptions, DataOptions):
    """A masked autoencoder (MAE paper, App. A.1)."""

    out: str = ""
    """The run folder."""
    model: str = "base"
    """Size of the Vision Transformer: nano, micro, mini, tiny, small, base, large, huge."""
    patch: tuple[int, ...] | Auto = "auto"
    """Side of a patch in pixels, or its height and width; auto takes the model's own."""
    mask_ratio: float = within(0.75, 0.0, 0.999)
    """Share of the patches that are hidden."""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"] = "random"
    """Which patches are hidden; of spectrograms rows are frequencies, cols times, cross both."""
    decoder: Literal["joint", "cross"] = "joint"
    """All places attend to all, or hidden ones to the encoder's tokens alone (Fu et al. 2024): cheaper."""
    predicted: float = within(1.0, 1e-3, 1.0)
    """Share of the hidden patches that are predicted, drawn anew each time."""
    norm_pix_loss: bool = True
    """Predict each patch with its mean and deviation taken out; otherwise plain pixels."""
    hog_target: bool = False
    """Predict oriented gradients too (Wei et al. 2022): better tokens after few epochs."""
    epochs: float = within(800, 1e-9, 1e9)
    base_lr: float = within(1.5e-4, 0.0, 1e6)
    beta2: float = 0.95
    warmup_epochs: float = 40
    batch_size: int = within(4096, 1, 1 << 24)
    crop_min_scale: float = within(0.2, 1e-3, 1.0)
    """Random-size crops take at least this share of a picture; 1 for none."""
    shift: int = within(0, 0, 4096)
    """Move pictures by up to this many pixels."""
    flip: bool = True
    """Mirror half of the pictures."""


@dataclass(frozen=True)
class FinetuneOptions(SoundOptions, LearningOptions, DataOptions):
    """A classifier, from a pretrained encoder or from scratch (MAE paper, App. A.1, Table 9)."""

    out: str = ""
    """The run folder."""
    init_from: str = ""
    """A run, or weights of another library, to start from; empty trains from scratch."""
    model: str = "base"
    """From scratch: a size of the Vision Transformer, or a ResNet such as resnet-18."""
    patch: tuple[int, ...] | Auto = "auto"
    """From scratch: side of a patch in pixels, or its height and width; auto takes the model's own."""
    stride: tuple[int, ...] = ()
    """From scratch: pixels from one patch to the next, for patches that overlap; empty for side by side."""
    labels: int = within(0, 0, 1 << 40)
    """How many labelled files to use, equally from each class; 0 for all."""
    label_seed: int = 0
    """Random seed of the draw of labelled files."""
    pool: Pooling = "mean"
    """What the head reads: the mean of the patch tokens, the class token, or both side by side."""
    head: Literal["zero", "ridge"] = "zero"
    """Where a head on a pretrained Transformer starts: near zero, or at ridge regression on its tokens."""
    layer_decay: float = 0.65
    """Each layer learns this much slower than the one above it (with --init-from only)."""
    drop_path: float = within(0.1, 0.0, 0.99)
    """Stochastic depth of the last layer."""
    label_smoothing: float = within(0.1, 0.0, 0.99)
    """Label smoothing."""
    class_balance: float = within(0.0, 0.0, 1.0)
    """Logit adjustment for rare classes (Menon et al. 2021), from 0, none, to 1, full; of single labels."""
    mixup: float = 0.8
    """Beta parameter of mixup; 0 for none. Recordings are mixed as waveforms."""
    cutmix: float = 1.0
    """Beta parameter of cutmix; 0 for none."""
    randaugment: float = 9.0
    """Magnitude of RandAugment, two operations a picture; 0 for none."""
    random_erasing: float = within(0.25, 0.0, 1.0)
    """Probability of random erasing."""
    ema_decay: float = within(0.0, 0.0, 1.0)
    """Decay of the moving average of the weights; 0 for none."""
    crop_min_scale: float = within(0.08, 1e-3, 1.0)
    """Random-size crops take at least this share of a picture; 1 for none."""
    shift: int = within(0, 0, 4096)
    """Move pictures by up to this many pixels."""
    flip: bool = True
    """Mirror half of the pictures."""
    time_mask: float = within(0.0, 0.0, 3600.0)
    """SpecAugment: blank up to this many seconds of a spectrogram."""
    freq_mask: int = within(0, 0, 8192)
    """SpecAugment: blank up to this many mel bands of a spectrogram."""
    baselines: bool = True
    """Measure simple classifiers on the same split, and say in the report whether this one is above them."""


@dataclass(frozen=True)
class ProbeOptions(DataOptions):
    """Classifiers on frozen tokens."""

    init_from: str = ""
    """The run whose tokens are probed."""
    out: str = ""
    """A folder for probe.json, report.html and the fine-tunings; empty writes none."""
    time: str = "auto"
    """How long it may take, such as 10m: fine-tuning is cut to it; auto is at most 30 minutes."""
    probes: tuple[Probe, ...] = ("ridge", "logistic", "nearest")
    """Which probes to fit; linear is the MAE paper's protocol."""
    pools: tuple[Pooling, ...] = ("class", "mean")
    """What the probes read: class token, mean of the patch tokens, or both side by side."""
    layers: tuple[int, ...] = (-1,)
    """Layers whose tokens are read; -1 is the last, after the final norm."""
    device: str = "auto"
    """Where tokens are computed and networks fine-tuned: cpu, cuda, mps or auto."""
    labels: tuple[int, ...] = within((100, 1000, 0), 0, 1 << 40)
    """How many labels to use; 0 for all."""
    seeds: int = within(3, 1, 1000)
    """How many draws of the labels."""
    finetune: bool = True
    """Show fine-tuning beside the probes."""
    finetune_recipe: str = ""
    """Recipe of the fine-tunings; empty takes the one for this data."""
    baselines: bool = True
    """With --out, measure simple classifiers on the same split for the report."""
