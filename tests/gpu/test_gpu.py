"""On a GPU: the same numbers as on a CPU, and every verb. Elsewhere these tests are skipped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kakera import seeding
from kakera.commands.predict import predict
from kakera.formats.native import load_model
from kakera.masking import MASKINGS
from kakera.model.classifier import Classifier
from kakera.model.configs import SIZES, resnet_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.sound.logmel import log_mel
from kakera.sound.spec import preset
from kakera.training.device import moved_to_device
from tests.small import folder
from tests.training.songs import songs

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU"),
    pytest.mark.timeout(600),
]


def far(first: Tensor, second: Tensor) -> float:
    return float((first.cpu() - second.cpu()).abs().max())


def test_a_classifier_gives_the_scores_of_the_cpu() -> None:
    pictures = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for model in (
        Classifier(ViT(SIZES["tiny"].with_patch((4, 4)), channels=3, image_size=(32, 32)), 10, "mean"),
        ResNet(resnet_config("resnet-18"), channels=3, classes=10),
    ):
        model.reset_parameters(torch.Generator().manual_seed(0))
        nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(1))
        model.eval()
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            there = model.to("cuda")(pictures.to("cuda"))
            here = model.to("cpu")(pictures)
        assert far(there, here) < 1e-3 * float(here.abs().max())


def test_a_masked_autoencoder_has_the_loss_and_the_gradient_of_the_cpu() -> None:
    pictures = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    shape = SIZES["tiny"].with_patch((4, 4))
    model = MAE(ViT(shape, channels=3, image_size=(32, 32)), shape.decoder)
    model.reset_parameters(torch.Generator().manual_seed(0))
    noise = seeding.uniform(0, 0, range(4), "mask", 64)
    hidden = torch.from_numpy(MASKINGS["random"](noise, model.encoder.grid, 0.75))
    found = []
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        loss = model(pictures.to(device), hidden)  # the mask stays where it is
        loss.backward()
        slope = model.encoder.patches.project.weight.grad
        assert slope is not None
        found.append((loss.detach().cpu(), slope.clone()))
    assert far(found[0][0], found[1][0]) < 1e-5
    assert far(found[0][1], found[1][1]) < 1e-4 * float(found[0][1].abs().max())


def test_log_mel_is_that_of_the_cpu() -> None:
    waves = 0.1 * torch.randn(3, 16_000, generator=torch.Generator().manual_seed(0))
    spec = preset("ast")
    assert far(log_mel(waves.to("cuda"), spec), log_mel(waves, spec)) < 1e-3


def kakera(*words: object) -> str:
    """A command in a process of its own: shapes that are checked under test are not for the compiler."""
    done = subprocess.run(
        [sys.executable, "-m", "kakera", *map(str, words)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def losses(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert not [row for row in rows if "skipped" in row]
    return [row["loss"] for row in rows]


QUICK = ("--recipe", "demo", "--batch-size", 16)
AS_IT_IS = ("--compile", "no")  # to compile takes longer than all the rest
NANO = ("--model", "nano", "--device", "cuda")


def test_every_verb_on_pictures(tmp_path: Path) -> None:
    data = folder(tmp_path / "data")
    run, tuned = tmp_path / "run", tmp_path / "tuned"
    kakera("pretrain", data, "--out", run, "--epochs", 8, *QUICK, *NANO)
    found = losses(run)
    assert found[-1] < found[0]
    kakera(
        "finetune",
        data,
        "--init-from",
        run,
        "--out",
        tuned,
        "--epochs",
        8,
        *QUICK,
        "--device",
        "cuda",
        *AS_IT_IS,
    )
    assert json.loads((tuned / "evaluation.json").read_text())["accuracy"] > 0.9
    on_both = [predict(tuned, [data], device=name) for name in ("cpu", "cuda")]
    for here, there in zip(*on_both, strict=True):
        assert here.file == there.file
        assert here.probabilities == pytest.approx(there.probabilities, abs=1e-4)
    probes = ("--probes", "ridge", "--labels", 0, "--no-finetune")
    on_both = [
        kakera("probe", data, "--init-from", run, *probes, "--device", device) for device in ("cpu", "cuda")
    ]
    assert on_both[0] == on_both[1]


@pytest.mark.parametrize(
    "words",
    [
        ("--activation-checkpointing",),
        ("--grad-accum", 2, *AS_IT_IS),
        ("--decoder", "cross", "--predicted", 0.25),
        ("--strategy", "fsdp", "--devices", 1, *AS_IT_IS),
    ],
    ids=lambda words: words[0],
)
def test_pretraining_in_other_ways_has_nearly_the_same_loss(
    words: tuple[object, ...], tmp_path: Path
) -> None:
    data, plain, other = (tmp_path / name for name in ("data", "plain", "other"))
    always = words if words[0] == "--decoder" else ()
    common = (folder(data), "--epochs", 2, *QUICK, *NANO, *always)
    kakera("pretrain", *common, "--out", plain, *AS_IT_IS, "--precision", "32-true")
    kakera("pretrain", *common, "--out", other, *(() if always else words))
    assert losses(other) == pytest.approx(losses(plain), rel=0.02)


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    data, run = folder(tmp_path / "data"), tmp_path / "run"
    words = ("pretrain", data, "--out", run, "--epochs", 400, *QUICK, *NANO, *AS_IT_IS)
    with subprocess.Popen([sys.executable, "-m", "kakera", *map(str, words)]) as child:
        metrics = run / "metrics.jsonl"
        while child.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > 3):
            pass
        child.terminate()
    assert child.returncode == 0
    assert not (run / "model.safetensors").exists()
    kakera(*words)
    assert load_model(run).inputs.size == (28, 28)
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))


def test_recordings_of_different_lengths(tmp_path: Path) -> None:
    data, run = songs(tmp_path / "songs"), tmp_path / "run"
    words = (
        "--recipe",
        "audio-micro",
        "--sound",
        "speech,rate=8000,bins=32",
        "--seconds",
        0.8,
        "--batch-size",
        8,
    )
    kakera("pretrain", data, "--out", run, "--patch", 8, "--epochs", 3, *words, *NANO)
    found = losses(run)
    assert found[-1] < found[0]
    kakera(
        "finetune", data, "--init-from", run, "--out", tmp_path / "tuned", "--recipe", "audio-micro",
        "--epochs", 2, "--batch-size", 8, "--device", "cuda", *AS_IT_IS,
    )  # fmt: skip
    files = [next(data.rglob("*.wav"))]
    one, other = (predict(tmp_path / "tuned", files, device=device) for device in ("cpu", "cuda"))
    assert one[0].probabilities == pytest.approx(other[0].probabilities, abs=1e-3)


def test_a_model_is_put_back_where_it_was(tmp_path: Path) -> None:
    kakera(
        "pretrain", folder(tmp_path / "d"), "--out", tmp_path / "run", "--epochs", 1, *QUICK, *NANO, *AS_IT_IS
    )
    saved = load_model(tmp_path / "run")
    with moved_to_device(saved, "auto") as device:
        assert device.type == "cuda"
        assert next(saved.model.parameters()).is_cuda
    assert not next(saved.model.parameters()).is_cuda


def test_the_bench_runs(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    kakera("bench", "mae-step", "--device", "cuda", "--quick", "--rounds", 1, "--out", out)
    found = json.loads(out.read_text())
    assert {"kakera", "transformers, compiled"} <= set(found["cases"]["mae-step"]["results"])
    assert found["machine"]["gpu"]
