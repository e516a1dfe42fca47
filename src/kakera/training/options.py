"""Options of training, one dataclass for each command. This module does not import torch.

Defaults are the values of the papers. A recipe contains only the values that differ from the defaults.
The string below a field is its text in `--help`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from kakera.option_fields import Auto, within

Probe: TypeAlias = Literal["ridge", "logistic", "nearest", "linear"]
Pooling: TypeAlias = Literal[
    "mean", "class", "class and mean", "normed mean", "attention", "class and attention"
]


@dataclass(frozen=True)
class DataOptions:
    """Data options.

    Example:

        >>> options = DataOptions("pictures", image_size=64)
        >>> options.image_size, options.channels
        (64, 'auto')
    """

    data: str
    """folder, table (CSV, TSV), IDX or .npz files, or a built-in name: demo, fashion-mnist, fillets"""
    image_size: int | Auto = within("auto", 1, 8192)
    """side of the square model input in pixels; auto: the pictures' own size up to 64, else 224"""
    channels: int | Auto = within("auto", 1, 4)
    """number of channels: 1 (grey), 3 (colour), or that of the TIFF files; auto: as in the pictures"""
    kind: Literal["any", "pictures", "recordings"] = "any"
    """files to use if the data has both kinds; any: the kind of the initial model, else the more frequent"""
    bits: int | Auto = within("auto", 1, 32)
    """bits per value in 16-bit and 32-bit files, such as 12 for 0 to 4095; auto: measure a sample of files"""
    value_range: tuple[float, ...] | Auto = "auto"
    """values of black and white in 16-bit, 32-bit or float files, such as 0 1000; auto: measure a sample"""
    crop_pct: float = within(1.0, 1e-3, 1.0)
    """centre crop for evaluation, as a share of the shorter side; the MAE paper uses 0.875 (224 of 256)"""
    workers: int | Auto = within("auto", 0)
    """data loading processes; 0: load in the main process; auto: 0 for data in memory, else one per core"""
    seed: int = 0
    """random seed; the same seed gives the same run"""


@dataclass(frozen=True)
class LearningOptions:
    """Training options.

    Example:

        >>> options = LearningOptions(epochs=20)
        >>> options.epochs, options.batch_size
        (20, 1024)
    """

    time: str = "auto"
    """time limit, such as 10m or 2h30m; sets model size and epochs; auto: at most 30 minutes"""
    epochs: float = within(100, 1e-9, 1e9)
    """number of passes over the training data"""
    min_steps: int = 0
    """minimum number of training steps, for small data sets"""
    batch_size: int = within(1024, 1, 1 << 24)
    """number of pictures or recordings per step"""
    base_lr: float = within(5e-4, 0.0, 1e6)
    """learning rate for a batch of 256; the actual learning rate is base_lr * batch_size / 256"""
    weight_decay: float = within(0.05, 0.0, 1e3)
    """weight decay of AdamW; applies to matrices only"""
    beta2: float = 0.999
    """beta2 of AdamW"""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """AdamW, or Muon for the matrices of Transformer layers (Jordan et al. 2024), which needs fewer steps"""
    warmup_epochs: float = 5
    """epochs of linear warm-up before the cosine schedule"""
    grad_clip: float = within(1.0, 0.0)
    """maximum norm of the gradient; 0: no clipping"""
    device: str = "auto"
    """device: cpu, cuda, mps or auto"""
    precision: str = "auto"
    """numeric precision: 32-true, bf16-mixed, …; auto: 32-true on a CPU, bf16-mixed on a GPU"""
    compile: Literal["auto", "yes", "no"] = "auto"
    """compile the model with torch.compile; auto: only on a GPU (on a CPU it gains little)"""
    checkpoint_seconds: float = 60
    """seconds between two checkpoints; the same command resumes from the last one"""
    unreadable_share: float = within(0.5, 0.0, 1.0)
    """stop with an error if more than this share of the training files is unreadable"""
    devices: int | Auto = within("auto", 1, 4096)
    """processes per machine, one per device; auto: as started by torchrun or SLURM, else one"""
    nodes: int | Auto = within("auto", 1, 65536)
    """number of machines; auto: as started by torchrun or SLURM, else one"""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """with several processes: each process stores all weights (ddp) or its share of them (fsdp)"""
    grad_accum: int | Auto = within("auto", 1, 1 << 20)
    """split each process's batch into this many pieces to save memory; auto: by the free memory"""
    activation_checkpointing: bool = False
    """recompute layers in the backward pass instead of storing them: less memory, a third more time"""
    timeout: float = within(600, 1.0, 1e6)
    """seconds to wait for another process before the run stops with an error"""


@dataclass(frozen=True)
class SoundOptions:
    """Options for recordings.

    Example:

        >>> SoundOptions("speech", seconds=2.5)
        SoundOptions(sound='speech', seconds=2.5, time_shift=0.0, gain=0.0, noise=0.0)
    """

    sound: str = "ast"
    """spectrogram type: ast, speech or music; may include changes, such as speech,bins=64"""
    seconds: float | Auto = within("auto", 0.0, 3600.0, open=True)
    """length of the model's input window in seconds; auto: the recipe's value, else 10.24"""
    time_shift: float = within(0.0, 0.0, 3600.0)
    """shift recordings circularly in time by up to this many seconds"""
    gain: float = within(0.0, 0.0, 60.0)
    """make recordings louder or quieter by up to this many decibels"""
    noise: float = within(0.0, 0.0, 10.0)
    """add white noise to recordings, up to this share of their own loudness"""


@dataclass(frozen=True)
class PretrainOptions(SoundOptions, LearningOptions, DataOptions):
    """Pretraining options (defaults: MAE paper, App. A.1).

    Example:

        >>> options = PretrainOptions("pictures", mask_ratio=0.6)
        >>> options.mask_ratio, options.epochs, options.norm_pix_loss
        (0.6, 800, True)
    """

    out: str = ""
    """run folder"""
    init_from: str = ""
    """run folder, or weights of another library, whose encoder to train further; empty: new weights"""
    model: str = "base"
    """size of the Vision Transformer: nano, micro, mini, tiny, small, base, large or huge"""
    patch: tuple[int, ...] | Auto = "auto"
    """side of a patch in pixels, or its height and width; auto: the default of the model"""
    mask_ratio: float = within(0.75, 0.0, 0.999)
    """share of the patches to hide"""
    masking: Literal["random", "block", "grid", "rows", "cols", "cross"] = "random"
    """pattern of hidden patches; for spectrograms rows are frequencies, cols are times, cross is both"""
    decoder: Literal["joint", "cross"] = "joint"
    """joint: all patches attend to all; cross (cheaper): hidden ones to encoder tokens (Fu et al. 2024)"""
    predicted: float = within(1.0, 1e-3, 1.0)
    """share of the hidden patches to predict, drawn anew at each step"""
    decoded: float = within(1.0, 1e-3, 1.0)
    """share of the pictures of each step that the decoder predicts; the encoder reads all of them"""
    global_target: int = within(0, 0, 4096)
    """components of the whole picture's gradients that class and mean token also predict; 0: none"""
    token_target: float = within(0.0, 0.0, 100.0)
    """weight of the tokens of the frozen start as a target at hidden places (with --init-from); 0: none"""
    norm_pix_loss: bool = True
    """predict pixels normalised by the mean and standard deviation of each patch; otherwise raw pixels"""
    hog_target: bool = False
    """also predict oriented gradients (HOG, Wei et al. 2022), which gives better tokens after few epochs"""
    epochs: float = within(800, 1e-9, 1e9)
    base_lr: float = within(1.5e-4, 0.0, 1e6)
    beta2: float = 0.95
    warmup_epochs: float = 40
    batch_size: int = within(4096, 1, 1 << 24)
    crop_min_scale: float = within(0.2, 1e-3, 1.0)
    """minimum share of a picture's area in random-size crops; 1: no random crops"""
    shift: int = within(0, 0, 4096)
    """shift pictures randomly by up to this many pixels"""
    flip: bool = True
    """flip half of the pictures horizontally"""


@dataclass(frozen=True)
class FinetuneOptions(SoundOptions, LearningOptions, DataOptions):
    """Fine-tuning options, also for training from scratch (defaults: MAE paper, App. A.1, Table 9).

    Example:

        >>> options = FinetuneOptions("pictures", init_from="runs/pretrain-pictures", labels=100)
        >>> options.labels, options.pool, options.layer_decay
        (100, 'mean', 0.65)
    """

    out: str = ""
    """run folder"""
    init_from: str = ""
    """run folder, or weights of another library, to start from; empty: train from scratch"""
    model: str = "base"
    """from scratch: size of the Vision Transformer, or a ResNet such as resnet-18"""
    patch: tuple[int, ...] | Auto = "auto"
    """from scratch: side of a patch in pixels, or its height and width; auto: the default of the model"""
    stride: tuple[int, ...] = ()
    """from scratch: pixels from one patch to the next, for overlapping patches; empty: no overlap"""
    task: Literal["auto", "classification", "regression"] = "auto"
    """learn classes or numbers; auto: numbers with target_column or float labels, else classes"""
    target_column: str = ""
    """column of the table with the numbers to predict; empty: the column label"""
    labels: int = within(0, 0, 1 << 40)
    """number of labelled files to use, equally from each class; 0: all"""
    label_seed: int = 0
    """random seed for the choice of labelled files"""
    pool: Pooling = "mean"
    """input of the head: mean of the patches, class token, both, mean after the norm, attention pooling"""
    head: Literal["zero", "ridge"] = "zero"
    """initial head on a pretrained Transformer: near zero, or ridge regression on its tokens"""
    layer_decay: float = 0.65
    """learning rate factor from each layer to the layer below it (with --init-from only)"""
    drop_path: float = within(0.1, 0.0, 0.99)
    """stochastic depth: probability of dropping the last layer; lower layers have lower probabilities"""
    patch_dropout: float = within(0.0, 0.0, 0.95)
    """share of patches to leave out of each training picture (Liu et al. 2022, PatchDropout); 0: none"""
    label_smoothing: float = within(0.1, 0.0, 0.99)
    """label smoothing; 0: none"""
    class_balance: float = within(0.0, 0.0, 1.0)
    """logit adjustment for rare classes (Menon et al. 2021), 0: none, 1: full; not for multi-label data"""
    class_weight: float = within(0.0, 0.0, 1.0)
    """weight rare classes in the loss by (number of files) to this negative power; 0: none, 1: balanced"""
    sampler: Literal["random", "balanced"] = "random"
    """order of the training files; balanced: each class equally often, files of rare classes repeatedly"""
    loss: Literal["cross-entropy", "focal", "asymmetric", "ordinal"] = "cross-entropy"
    """training loss; focal: Lin et al. 2017; asymmetric (files with several labels): Ridnik et al. 2021;
    ordinal (ordered classes): Díaz & Marathe 2019"""
    class_order: tuple[str, ...] = ()
    """ordinal loss: all classes, lowest first; empty: classes whose names are numbers, by value"""
    gamma: float = within(2.0, 0.0, 100.0)
    """focal loss: how much it lowers the loss of files that are already right; 0: cross entropy"""
    gamma_neg: float = within(4.0, 0.0, 100.0)
    """asymmetric loss: the same for labels that a file does not have"""
    gamma_pos: float = within(1.0, 0.0, 100.0)
    """asymmetric loss: the same for labels that a file has"""
    margin: float = within(0.05, 0.0, 0.99)
    """asymmetric loss: a label that a file does not have costs nothing up to this probability"""
    freeze: int = within(0, 0, 1000)
    """number of lowest layers, with the patch embedding, that keep their weights (with --init-from only)"""
    lora_rank: int = within(0, 0, 4096)
    """rank of a learned update of attention's linear maps; other layers stay frozen (LoRA, Hu et al. 2021)"""
    lora_alpha: float = within(16.0, 0.0, 1e6)
    """the update of LoRA is multiplied by lora_alpha / lora_rank"""
    lora_targets: Literal["attention", "all"] = "attention"
    """linear maps with an update of LoRA: those of the attention, or all of the layers"""
    val_share: float = within(0.0, 0.0, 0.9)
    """share of the labelled files to keep for validation if the data have no val part; 0: none"""
    keep: Literal["last", "best"] = "last"
    """weights to keep: of the last epoch, or of the epoch with the best validation accuracy"""
    patience: int = within(0, 0, 1000)
    """stop after this many validation measurements without a better one, and keep the best; 0: never"""
    thresholds: Literal["auto", "f1", "0.5"] = "auto"
    """several labels: least probability of a class; f1: best on the validation part; auto: f1 if possible"""
    unlabelled: bool = False
    """also learn from training files without a label (or left out by --labels), from an averaged teacher"""
    unlabelled_ratio: int = within(3, 1, 64)
    """number of unlabelled files in a step for each labelled one"""
    confidence: float = within(0.9, 0.0, 1.0)
    """least probability of the teacher's class for an unlabelled file to count"""
    mixup: float = 0.8
    """beta distribution parameter of mixup; 0: none; recordings are mixed as waveforms"""
    cutmix: float = 1.0
    """beta distribution parameter of CutMix; 0: none"""
    randaugment: float = 9.0
    """magnitude of RandAugment, with two operations per picture; 0: none"""
    random_erasing: float = within(0.25, 0.0, 1.0)
    """probability of random erasing"""
    ema_decay: float = within(0.0, 0.0, 1.0)
    """decay of the exponential moving average (EMA) of the weights; 0: no average"""
    crop_min_scale: float = within(0.08, 1e-3, 1.0)
    """minimum share of a picture's area in random-size crops; 1: no random crops"""
    shift: int = within(0, 0, 4096)
    """shift pictures randomly by up to this many pixels"""
    flip: bool = True
    """flip half of the pictures horizontally"""
    time_mask: float = within(0.0, 0.0, 3600.0)
    """SpecAugment: mask up to this many seconds of a spectrogram"""
    freq_mask: int = within(0, 0, 8192)
    """SpecAugment: mask up to this many mel bands of a spectrogram"""
    baselines: bool = True
    """evaluate simple classifiers (baselines) on the same split and compare with them in the report"""


@dataclass(frozen=True)
class ProbeOptions(DataOptions):
    """Probe options.

    Example:

        >>> options = ProbeOptions("pictures", init_from="runs/pretrain-pictures")
        >>> options.probes, options.labels
        (('ridge', 'logistic', 'nearest'), (100, 1000, 0))
    """

    init_from: str = ""
    """run folder or weights to probe"""
    out: str = ""
    """folder for probe.json, report.html and the fine-tuned models; empty: write none"""
    time: str = "auto"
    """time limit, such as 10m; shortens the fine-tuning; auto: at most 30 minutes"""
    probes: tuple[Probe, ...] = ("ridge", "logistic", "nearest")
    """probes to fit; linear is the protocol of the MAE paper"""
    pools: tuple[Pooling, ...] = ("class", "mean")
    """input of the probes: class token, mean of the patches, both, mean after the norm, attention pooling"""
    layers: tuple[int, ...] = (-1,)
    """layers to take tokens from; -1: the last layer, after the final norm"""
    device: str = "auto"
    """device for tokens and fine-tuning: cpu, cuda, mps or auto"""
    labels: tuple[int, ...] = within((100, 1000, 0), 0, 1 << 40)
    """numbers of labels to use; 0: all"""
    seeds: int = within(3, 1, 1000)
    """number of random draws of the labels"""
    finetune: bool = True
    """fine-tune too, for comparison with the probes"""
    finetune_recipe: str = ""
    """recipe for fine-tuning; empty: chosen by the data"""
    baselines: bool = True
    """with --out, evaluate simple classifiers (baselines) on the same split for the report"""


@dataclass(frozen=True)
class FitOptions(DataOptions):
    """Options of a head on frozen tokens.

    Example:

        >>> options = FitOptions("pictures", init_from="runs/pretrain-pictures", labels=100)
        >>> options.head, options.pool
        ('auto', 'auto')
    """

    out: str = ""
    """run folder"""
    init_from: str = ""
    """run folder, or weights of another library, whose encoder computes the tokens"""
    time: str = "auto"
    """time limit, such as 10m; computes tokens of fewer training files; auto: at most 30 minutes"""
    device: str = "auto"
    """device for the tokens: cpu, cuda, mps or auto"""
    task: Literal["auto", "classification", "regression"] = "auto"
    """learn classes or numbers; auto: numbers with target_column or float labels, else classes"""
    target_column: str = ""
    """column of the table with the numbers to predict; empty: the column label"""
    labels: int = within(0, 0, 1 << 40)
    """number of labelled files to use, equally from each class; 0: all"""
    label_seed: int = 0
    """random seed for the choice of labelled files"""
    head: Literal["auto", "ridge", "logistic", "prototype", "attentive"] = "auto"
    """linear (ridge, logistic), class means, or attention to patches; auto: the best but for attentive"""
    pool: Literal["auto", "mean", "class", "class and mean"] = "auto"
    """input of the head: mean of the patch tokens, class token, or both; auto: the best on left-out labels"""
    baselines: bool = True
    """evaluate simple classifiers (baselines) on the same split and compare with them in the report"""
