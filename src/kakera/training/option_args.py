"""The options of training as keyword arguments, for editors and type checkers: the fields of `options`.

A test compares names, types and texts with the dataclasses, which hold defaults and ranges. Where a tuple
is meant one value, or any sequence, will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from kakera.option_fields import Auto
from kakera.training.options import Pooling, Probe


class DataArgs(TypedDict, total=False):
    """Where the pictures come from and how they are read."""

    image_size: int | Auto
    """Side of the square the model sees, in pixels; auto takes the pictures' own up to 64, else 224."""
    channels: int | Auto
    """1 (grey), 3 (colour) or those of the TIFFs; auto takes what the pictures have."""
    kind: Literal["any", "pictures", "recordings"]
    """What to take where both are there; any takes what the model to start from takes, else what most are."""
    bits: int | Auto
    """Bits of the values in 16-bit and 32-bit files, such as 12 for 0 to 4095; auto measures a sample."""
    value_range: float | Sequence[float] | Auto
    """Black and white in files of 16 bits, 32 bits or floats, such as 0 1000; auto measures a sample."""
    crop_pct: float
    """In evaluation, see this share of a picture's shorter side; the MAE paper takes 0.875, 224 of 256."""
    workers: int | Auto
    """Processes that read files, 0 for none; auto takes none for data in memory, else one a core."""
    seed: int
    """Random seed: the same seed gives the same run."""


class LearningArgs(TypedDict, total=False):
    """How the weights are moved."""

    time: str
    """How long it may take, such as 10m or 2h30m: network and epochs follow; auto is at most 30 minutes."""
    epochs: float
    """Passes over the training pictures."""
    min_steps: int
    """With few pictures, train for at least this many steps."""
    batch_size: int
    """Pictures or recordings a step."""
    base_lr: float
    """Learning rate for a batch of 256; the rate used is base_lr * batch_size / 256."""
    weight_decay: float
    """AdamW's weight decay, on matrices only."""
    beta2: float
    """AdamW's beta2."""
    optimizer: Literal["adamw", "muon"]
    """AdamW, or Muon for the matrices of Transformer layers (Jordan et al. 2024): fewer steps."""
    warmup_epochs: float
    """Linear warm-up before the cosine."""
    grad_clip: float
    """Largest norm of the gradient; 0 for no limit."""
    device: str
    """cpu, cuda, mps or auto."""
    precision: str
    """32-true, bf16-mixed, …; auto is 32-true on a CPU and bf16-mixed on a GPU."""
    compile: Literal["auto", "yes", "no"]
    """Compile the step before training; auto does on a GPU, not on a CPU, where it gains little."""
    checkpoint_seconds: float
    """Seconds between two checkpoints, from which the same command resumes."""
    unreadable_share: float
    """Training ends where more than this share of the training files cannot be read."""
    devices: int | Auto
    """Processes on each machine, one a device; auto takes what torchrun or SLURM started, else one."""
    nodes: int | Auto
    """Machines; auto takes what torchrun or SLURM started, else one."""
    strategy: Literal["ddp", "fsdp"]
    """With several processes: each holds all weights (ddp), or its share of them (fsdp)."""
    grad_accum: int | Auto
    """Pieces that a process takes a batch in, for less memory; auto fits them to the free memory."""
    activation_checkpointing: bool
    """Compute layers again for their gradients instead of keeping them: less memory, a third more time."""
    timeout: float
    """Seconds to wait for another process before the run is given up."""


class SoundArgs(TypedDict, total=False):
    """How recordings are read, and augmented in training."""

    sound: str
    """Spectrogram of recordings: ast, speech or music, also with changes, such as speech,bins=64."""
    seconds: float | Auto
    """Seconds of a recording that the model hears at once; auto takes the recipe's, else 10.24."""
    time_shift: float
    """Shift recordings circularly in time by up to this many seconds."""
    gain: float
    """Make recordings louder or softer by up to this many decibels."""
    noise: float
    """Add white noise to recordings, up to this share of their own loudness."""


class DemoArgs(SoundArgs, LearningArgs, DataArgs, total=False):
    """What pretraining and fine-tuning both take."""

    model: str
    """Size of the Vision Transformer: nano, micro, mini, tiny, small, base, large, huge."""
    patch: int | Sequence[int] | Auto
    """Side of a patch in pixels, or its height and width; auto takes the model's own."""
    crop_min_scale: float
    """Random-size crops take at least this share of a picture; 1 for none."""
    shift: int
    """Move pictures by up to this many pixels."""
    flip: bool
    """Mirror half of the pictures."""


class PretrainArgs(SoundArgs, LearningArgs, DataArgs, total=False):
    """A masked autoencoder (MAE paper, App. A.1)."""

    model: str
    """Size of the Vision Transformer: nano, micro, mini, tiny, small, base, large, huge."""
    patch: int | Sequence[int] | Auto
    """Side of a patch in pixels, or its height and width; auto takes the model's own."""
    mask_ratio: float
    """Share of the patches that are hidden."""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"]
    """Which patches are hidden; of spectrograms rows are frequencies, cols times, cross both."""
    decoder: Literal["joint", "cross"]
    """All places attend to all, or hidden ones to the encoder's tokens alone (Fu et al. 2024): cheaper."""
    predicted: float
    """Share of the hidden patches that are predicted, drawn anew each time."""
    norm_pix_loss: bool
    """Predict each patch with its mean and deviation taken out; otherwise plain pixels."""
    hog_target: bool
    """Predict oriented gradients too (Wei et al. 2022): better tokens after few epochs."""
    crop_min_scale: float
    """Random-size crops take at least this share of a picture; 1 for none."""
    shift: int
    """Move pictures by up to this many pixels."""
    flip: bool
    """Mirror half of the pictures."""


class FinetuneArgs(SoundArgs, LearningArgs, DataArgs, total=False):
    """A classifier, from a pretrained encoder or from scratch (MAE paper, App. A.1, Table 9)."""

    model: str
    """From scratch: a size of the Vision Transformer, or a ResNet such as resnet-18."""
    patch: int | Sequence[int] | Auto
    """From scratch: side of a patch in pixels, or its height and width; auto takes the model's own."""
    stride: int | Sequence[int]
    """From scratch: pixels from one patch to the next, for patches that overlap; empty for side by side."""
    labels: int
    """How many labelled files to use, equally from each class; 0 for all."""
    label_seed: int
    """Random seed of the draw of labelled files."""
    pool: Pooling
    """What the head reads: the mean of the patch tokens, the class token, or both side by side."""
    head: Literal["zero", "ridge"]
    """Where a head on a pretrained Transformer starts: near zero, or at ridge regression on its tokens."""
    layer_decay: float
    """Each layer learns this much slower than the one above it (with --init-from only)."""
    drop_path: float
    """Stochastic depth of the last layer."""
    label_smoothing: float
    """Label smoothing."""
    class_balance: float
    """Logit adjustment for rare classes (Menon et al. 2021), from 0, none, to 1, full; of single labels."""
    mixup: float
    """Beta parameter of mixup; 0 for none. Recordings are mixed as waveforms."""
    cutmix: float
    """Beta parameter of cutmix; 0 for none."""
    randaugment: float
    """Magnitude of RandAugment, two operations a picture; 0 for none."""
    random_erasing: float
    """Probability of random erasing."""
    ema_decay: float
    """Decay of the moving average of the weights; 0 for none."""
    crop_min_scale: float
    """Random-size crops take at least this share of a picture; 1 for none."""
    shift: int
    """Move pictures by up to this many pixels."""
    flip: bool
    """Mirror half of the pictures."""
    time_mask: float
    """SpecAugment: blank up to this many seconds of a spectrogram."""
    freq_mask: int
    """SpecAugment: blank up to this many mel bands of a spectrogram."""
    baselines: bool
    """Measure simple classifiers on the same split, and say in the report whether this one is above them."""


class ProbeArgs(DataArgs, total=False):
    """Classifiers on frozen tokens."""

    time: str
    """How long it may take, such as 10m: fine-tuning is cut to it; auto is at most 30 minutes."""
    probes: Probe | Sequence[Probe]
    """Which probes to fit; linear is the MAE paper's protocol."""
    pools: Pooling | Sequence[Pooling]
    """What the probes read: class token, mean of the patch tokens, or both side by side."""
    layers: int | Sequence[int]
    """Layers whose tokens are read; -1 is the last, after the final norm."""
    device: str
    """Where tokens are computed and networks fine-tuned: cpu, cuda, mps or auto."""
    labels: int | Sequence[int]
    """How many labels to use; 0 for all."""
    seeds: int
    """How many draws of the labels."""
    finetune: bool
    """Show fine-tuning beside the probes."""
    finetune_recipe: str
    """Recipe of the fine-tunings; empty takes the one for this data."""
    baselines: bool
    """With --out, measure simple classifiers on the same split for the report."""
