"""Keyword arguments of the training functions, for editors and type checkers.

They repeat the fields of `kakera.training.options`, which define defaults and ranges. A test compares names,
types and texts. A field that is a tuple there accepts a single value or any sequence here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from kakera.option_fields import Auto
from kakera.training.options import Pooling, Probe


class DataArgs(TypedDict, total=False):
    """Data options.

    Example:

        >>> from kakera.training.options import DataOptions
        >>> changes: DataArgs = {"image_size": 64, "seed": 1}
        >>> DataOptions("pictures", **changes).image_size
        64
    """

    image_size: int | Auto
    """side of the square model input in pixels; auto: the pictures' own size up to 64, else 224"""
    channels: int | Auto
    """number of channels: 1 (grey), 3 (colour), or that of the TIFF files; auto: as in the pictures"""
    kind: Literal["any", "pictures", "recordings"]
    """files to use if the data has both kinds; any: the kind of the initial model, else the more frequent"""
    bits: int | Auto
    """bits per value in 16-bit and 32-bit files, such as 12 for 0 to 4095; auto: measure a sample of files"""
    value_range: float | Sequence[float] | Auto
    """values of black and white in 16-bit, 32-bit or float files, such as 0 1000; auto: measure a sample"""
    crop_pct: float
    """centre crop for evaluation, as a share of the shorter side; the MAE paper uses 0.875 (224 of 256)"""
    workers: int | Auto
    """data loading processes; 0: load in the main process; auto: 0 for data in memory, else one per core"""
    seed: int
    """random seed; the same seed gives the same run"""


class LearningArgs(TypedDict, total=False):
    """Training options.

    Example:

        >>> from kakera.training.options import LearningOptions
        >>> changes: LearningArgs = {"epochs": 20, "optimizer": "muon"}
        >>> LearningOptions(**changes).optimizer
        'muon'
    """

    time: str
    """time limit, such as 10m or 2h30m; sets model size and epochs; auto: at most 30 minutes"""
    epochs: float
    """number of passes over the training data"""
    min_steps: int
    """minimum number of training steps, for small data sets"""
    batch_size: int
    """number of pictures or recordings per step"""
    base_lr: float
    """learning rate for a batch of 256; the actual learning rate is base_lr * batch_size / 256"""
    weight_decay: float
    """weight decay of AdamW; applies to matrices only"""
    beta2: float
    """beta2 of AdamW"""
    optimizer: Literal["adamw", "muon"]
    """AdamW, or Muon for the matrices of Transformer layers (Jordan et al. 2024), which needs fewer steps"""
    warmup_epochs: float
    """epochs of linear warm-up before the cosine schedule"""
    grad_clip: float
    """maximum norm of the gradient; 0: no clipping"""
    device: str
    """device: cpu, cuda, mps or auto"""
    precision: str
    """numeric precision: 32-true, bf16-mixed, …; auto: 32-true on a CPU, bf16-mixed on a GPU"""
    compile: Literal["auto", "yes", "no"]
    """compile the model with torch.compile; auto: only on a GPU (on a CPU it gains little)"""
    checkpoint_seconds: float
    """seconds between two checkpoints; the same command resumes from the last one"""
    unreadable_share: float
    """stop with an error if more than this share of the training files is unreadable"""
    devices: int | Auto
    """processes per machine, one per device; auto: as started by torchrun or SLURM, else one"""
    nodes: int | Auto
    """number of machines; auto: as started by torchrun or SLURM, else one"""
    strategy: Literal["ddp", "fsdp"]
    """with several processes: each process stores all weights (ddp) or its share of them (fsdp)"""
    grad_accum: int | Auto
    """split each process's batch into this many pieces to save memory; auto: by the free memory"""
    activation_checkpointing: bool
    """recompute layers in the backward pass instead of storing them: less memory, a third more time"""
    timeout: float
    """seconds to wait for another process before the run stops with an error"""


class SoundArgs(TypedDict, total=False):
    """Options for recordings.

    Example:

        >>> from kakera.training.options import SoundOptions
        >>> changes: SoundArgs = {"sound": "speech", "gain": 6.0}
        >>> SoundOptions(**changes).sound
        'speech'
    """

    sound: str
    """spectrogram type: ast, speech or music; may include changes, such as speech,bins=64"""
    seconds: float | Auto
    """length of the model's input window in seconds; auto: the recipe's value, else 10.24"""
    time_shift: float
    """shift recordings circularly in time by up to this many seconds"""
    gain: float
    """make recordings louder or quieter by up to this many decibels"""
    noise: float
    """add white noise to recordings, up to this share of their own loudness"""


class DemoArgs(SoundArgs, LearningArgs, DataArgs, total=False):
    """The options that pretraining and fine-tuning share.

    Example:

        >>> from kakera.training.options import FinetuneOptions, PretrainOptions
        >>> changes: DemoArgs = {"model": "nano", "flip": False}
        >>> PretrainOptions("pictures", **changes).model, FinetuneOptions("pictures", **changes).model
        ('nano', 'nano')
    """

    model: str
    """size of the Vision Transformer: nano, micro, mini, tiny, small, base, large or huge"""
    patch: int | Sequence[int] | Auto
    """side of a patch in pixels, or its height and width; auto: the default of the model"""
    crop_min_scale: float
    """minimum share of a picture's area in random-size crops; 1: no random crops"""
    shift: int
    """shift pictures randomly by up to this many pixels"""
    flip: bool
    """flip half of the pictures horizontally"""


class PretrainArgs(SoundArgs, LearningArgs, DataArgs, total=False):
    """Pretraining options (defaults: MAE paper, App. A.1).

    Example:

        >>> from kakera.training.options import PretrainOptions
        >>> changes: PretrainArgs = {"model": "nano", "mask_ratio": 0.6}
        >>> PretrainOptions("pictures", **changes).mask_ratio
        0.6
    """

    model: str
    """size of the Vision Transformer: nano, micro, mini, tiny, small, base, large or huge"""
    patch: int | Sequence[int] | Auto
    """side of a patch in pixels, or its height and width; auto: the default of the model"""
    mask_ratio: float
    """share of the patches to hide"""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"]
    """pattern of hidden patches; for spectrograms rows are frequencies, cols are times, cross is both"""
    decoder: Literal["joint", "cross"]
    """joint: all patches attend to all; cross (cheaper): hidden ones to encoder tokens (Fu et al. 2024)"""
    predicted: float
    """share of the hidden patches to predict, drawn anew at each step"""
    decoded: float
    """share of the pictures of each step that the decoder predicts; the encoder reads all of them"""
    global_target: int
    """components of the whole picture's gradients that class and mean token also predict; 0: none"""
    token_target: float
    """weight of the tokens of the frozen start as a target at hidden places (with --init-from); 0: none"""
    norm_pix_loss: bool
    """predict pixels normalised by the mean and standard deviation of each patch; otherwise raw pixels"""
    hog_target: bool
    """also predict oriented gradients (HOG, Wei et al. 2022), which gives better tokens after few epochs"""
    crop_min_scale: float
    """minimum share of a picture's area in random-size crops; 1: no random crops"""
    shift: int
    """shift pictures randomly by up to this many pixels"""
    flip: bool
    """flip half of the pictures horizontally"""


class FinetuneArgs(SoundArgs, LearningArgs, DataArgs, total=False):
    """Fine-tuning options, also for training from scratch (defaults: MAE paper, App. A.1, Table 9).

    Example:

        >>> from kakera.training.options import FinetuneOptions
        >>> changes: FinetuneArgs = {"labels": 100, "head": "ridge"}
        >>> FinetuneOptions("pictures", **changes).head
        'ridge'
    """

    model: str
    """from scratch: size of the Vision Transformer, or a ResNet such as resnet-18"""
    patch: int | Sequence[int] | Auto
    """from scratch: side of a patch in pixels, or its height and width; auto: the default of the model"""
    stride: int | Sequence[int]
    """from scratch: pixels from one patch to the next, for overlapping patches; empty: no overlap"""
    task: Literal["auto", "classification", "regression"]
    """learn classes or numbers; auto: numbers with target_column or float labels, else classes"""
    target_column: str
    """column of the table with the numbers to predict; empty: the column label"""
    labels: int
    """number of labelled files to use, equally from each class; 0: all"""
    label_seed: int
    """random seed for the choice of labelled files"""
    pool: Pooling
    """input of the head: mean of the patches, class token, both, mean after the norm, attention pooling"""
    head: Literal["zero", "ridge"]
    """initial head on a pretrained Transformer: near zero, or ridge regression on its tokens"""
    layer_decay: float
    """learning rate factor from each layer to the layer below it (with --init-from only)"""
    drop_path: float
    """stochastic depth: probability of dropping the last layer; lower layers have lower probabilities"""
    patch_dropout: float
    """share of patches to leave out of each training picture (Liu et al. 2022, PatchDropout); 0: none"""
    label_smoothing: float
    """label smoothing; 0: none"""
    class_balance: float
    """logit adjustment for rare classes (Menon et al. 2021), 0: none, 1: full; not for multi-label data"""
    class_weight: float
    """weight rare classes in the loss by (number of files) to this negative power; 0: none, 1: balanced"""
    sampler: Literal["random", "balanced"]
    """order of the training files; balanced: each class equally often, files of rare classes repeatedly"""
    loss: Literal["cross-entropy", "focal", "asymmetric", "ordinal"]
    """training loss; focal: Lin et al. 2017; asymmetric (files with several labels): Ridnik et al. 2021;
    ordinal (ordered classes): Díaz & Marathe 2019"""
    class_order: str | Sequence[str]
    """ordinal loss: all classes, lowest first; empty: classes whose names are numbers, by value"""
    gamma: float
    """focal loss: how much it lowers the loss of files that are already right; 0: cross entropy"""
    gamma_neg: float
    """asymmetric loss: the same for labels that a file does not have"""
    gamma_pos: float
    """asymmetric loss: the same for labels that a file has"""
    margin: float
    """asymmetric loss: a label that a file does not have costs nothing up to this probability"""
    freeze: int
    """number of lowest layers, with the patch embedding, that keep their weights (with --init-from only)"""
    lora_rank: int
    """rank of a learned update of attention's linear maps; other layers stay frozen (LoRA, Hu et al. 2021)"""
    lora_alpha: float
    """the update of LoRA is multiplied by lora_alpha / lora_rank"""
    lora_targets: Literal["attention", "all"]
    """linear maps with an update of LoRA: those of the attention, or all of the layers"""
    val_share: float
    """share of the labelled files to keep for validation if the data have no val part; 0: none"""
    keep: Literal["last", "best"]
    """weights to keep: of the last epoch, or of the epoch with the best validation accuracy"""
    patience: int
    """stop after this many validation measurements without a better one, and keep the best; 0: never"""
    thresholds: Literal["auto", "f1", "0.5"]
    """several labels: least probability of a class; f1: best on the validation part; auto: f1 if possible"""
    unlabelled: bool
    """also learn from training files without a label (or left out by --labels), from an averaged teacher"""
    unlabelled_ratio: int
    """number of unlabelled files in a step for each labelled one"""
    confidence: float
    """least probability of the teacher's class for an unlabelled file to count"""
    mixup: float
    """beta distribution parameter of mixup; 0: none; recordings are mixed as waveforms"""
    cutmix: float
    """beta distribution parameter of CutMix; 0: none"""
    randaugment: float
    """magnitude of RandAugment, with two operations per picture; 0: none"""
    random_erasing: float
    """probability of random erasing"""
    ema_decay: float
    """decay of the exponential moving average (EMA) of the weights; 0: no average"""
    crop_min_scale: float
    """minimum share of a picture's area in random-size crops; 1: no random crops"""
    shift: int
    """shift pictures randomly by up to this many pixels"""
    flip: bool
    """flip half of the pictures horizontally"""
    time_mask: float
    """SpecAugment: mask up to this many seconds of a spectrogram"""
    freq_mask: int
    """SpecAugment: mask up to this many mel bands of a spectrogram"""
    baselines: bool
    """evaluate simple classifiers (baselines) on the same split and compare with them in the report"""


class ProbeArgs(DataArgs, total=False):
    """Probe options.

    Example:

        >>> from kakera.training.options import ProbeOptions
        >>> changes: ProbeArgs = {"finetune": False, "seeds": 5}
        >>> ProbeOptions("pictures", **changes).seeds
        5
    """

    time: str
    """time limit, such as 10m; shortens the fine-tuning; auto: at most 30 minutes"""
    probes: Probe | Sequence[Probe]
    """probes to fit; linear is the protocol of the MAE paper"""
    pools: Pooling | Sequence[Pooling]
    """input of the probes: class token, mean of the patches, both, mean after the norm, attention pooling"""
    layers: int | Sequence[int]
    """layers to take tokens from; -1: the last layer, after the final norm"""
    device: str
    """device for tokens and fine-tuning: cpu, cuda, mps or auto"""
    labels: int | Sequence[int]
    """numbers of labels to use; 0: all"""
    seeds: int
    """number of random draws of the labels"""
    finetune: bool
    """fine-tune too, for comparison with the probes"""
    finetune_recipe: str
    """recipe for fine-tuning; empty: chosen by the data"""
    baselines: bool
    """with --out, evaluate simple classifiers (baselines) on the same split for the report"""


class FitArgs(DataArgs, total=False):
    """Options of a head on frozen tokens.

    Example:

        >>> from kakera.training.options import FitOptions
        >>> changes: FitArgs = {"head": "ridge", "labels": 100}
        >>> FitOptions("pictures", **changes).head
        'ridge'
    """

    time: str
    """time limit, such as 10m; computes tokens of fewer training files; auto: at most 30 minutes"""
    device: str
    """device for the tokens: cpu, cuda, mps or auto"""
    task: Literal["auto", "classification", "regression"]
    """learn classes or numbers; auto: numbers with target_column or float labels, else classes"""
    target_column: str
    """column of the table with the numbers to predict; empty: the column label"""
    labels: int
    """number of labelled files to use, equally from each class; 0: all"""
    label_seed: int
    """random seed for the choice of labelled files"""
    head: Literal["auto", "ridge", "logistic", "prototype", "attentive"]
    """linear (ridge, logistic), class means, or attention to patches; auto: the best but for attentive"""
    pool: Literal["auto", "mean", "class", "class and mean"]
    """input of the head: mean of the patch tokens, class token, or both; auto: the best on left-out labels"""
    baselines: bool
    """evaluate simple classifiers (baselines) on the same split and compare with them in the report"""
