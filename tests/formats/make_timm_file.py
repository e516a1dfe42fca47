"""Makes `files/timm.safetensors` with the real timm: small models, what goes in, and what comes out.

Of models of a published size only names, shapes and the output are kept: a test draws the same weights again.

timm imports torchvision, of which its Vision Transformers need nothing. It stands in an environment apart:

    python -m venv apart
    apart/bin/pip install torch numpy pillow safetensors pyyaml huggingface_hub
    apart/bin/pip install --no-deps timm
    apart/bin/python tests/formats/make_timm_file.py

With a folder that `kakera convert --to timm` wrote, it is opened by timm, strictly, and its model is told:

    apart/bin/python tests/formats/make_timm_file.py FOLDER
"""

import enum
import importlib.abc
import importlib.machinery
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any


class InterpolationMode(enum.Enum):
    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


class Stub(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """In place of torchvision: every module is there, and every class is empty."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        own = name.split(".")[0] == "torchvision"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if own else None

    def create_module(self, spec: Any) -> Any:
        module: Any = types.ModuleType(spec.name)

        def made(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return InterpolationMode if name == "InterpolationMode" else type(name, (), {})

        module.__path__, module.__getattr__ = [], made
        return module

    def exec_module(self, module: Any) -> None:
        pass


sys.meta_path.insert(0, Stub())

import numpy as np  # noqa: E402  # after the stub, as all of these
import timm  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from timm.layers import resample_abs_pos_embed  # noqa: E402
from timm.models import save_for_hf  # noqa: E402

VIT, GATED, DISTILLED = "vit_base_patch16_224", "vit_giant_patch14_dinov2", "deit_base_distilled_patch16_224"
SMALL = {
    "img_size": (8, 12),
    "patch_size": (4, 2),
    "in_chans": 2,
    "embed_dim": 8,
    "depth": 1,
    "num_heads": 2,
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "token": (VIT, {"depth": 2, "num_classes": 3}),
    "avg": (VIT, {"num_classes": 3, "global_pool": "avg"}),
    "encoder": (VIT, {"num_classes": 0}),
    "registers": (VIT, {"num_classes": 3, "reg_tokens": 2}),
    "registers apart": (
        VIT,
        {"num_classes": 3, "reg_tokens": 2, "no_embed_class": True, "init_values": 1e-5},
    ),
    "class apart": (VIT, {"num_classes": 3, "no_embed_class": True, "mlp_ratio": 2.0}),
    "registers only": (
        VIT,
        {
            "num_classes": 3,
            "class_token": False,
            "reg_tokens": 2,
            "global_pool": "avg",
            "no_embed_class": True,
        },
    ),
    "one register": (
        VIT,
        {"num_classes": 3, "class_token": False, "reg_tokens": 1, "global_pool": "avg"},
    ),
    "no bias": (VIT, {"num_classes": 3, "qkv_bias": False, "act_layer": "gelu_tanh"}),
    "gated": (GATED, {"num_classes": 3, "mlp_ratio": 3.0}),
    "distilled": (DISTILLED, {"num_classes": 3}),
}
# Published sizes, whole.
LARGE: dict[str, tuple[str, dict[str, Any]]] = {
    "ViT-B": (VIT, {"num_classes": 5}),
    "ViT-B, avg": (VIT, {"num_classes": 5, "global_pool": "avg", "fc_norm": True}),
    "DeiT-S": ("deit_small_patch16_224", {"num_classes": 5}),
    "DeiT-S, distilled": ("deit_small_distilled_patch16_224", {"num_classes": 5}),
    "DeiT-B, distilled": (DISTILLED, {"num_classes": 5}),
}
SIZES = (
    "vit_tiny_patch16_224",
    "vit_small_patch32_224",
    "vit_base_patch16_224",
    "vit_base_patch14_dinov2",
    "vit_large_patch16_224",
    "vit_huge_patch14_224",
    "vit_giant_patch14_224",
    "vit_gigantic_patch14_224",
    "vit_giant_patch14_reg4_dinov2",
    "vit_medium_patch16_reg4_gap_256",
    "vit_so150m_patch16_reg4_gap_256",
    "vit_so150m2_patch16_reg1_gap_256",
    "vit_wee_patch16_reg1_gap_256",
    "vit_little_patch16_reg1_gap_256",
    "vit_betwixt_patch16_reg1_gap_256",
    "deit3_small_patch16_224",
    "deit_tiny_distilled_patch16_224",
)
GRIDS = {"224 to 384": ((14, 14), (24, 24)), "square to 2:1": ((6, 6), (8, 4)), "smaller": ((8, 8), (5, 5))}


def drawn(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    scale = shape[-1] ** -0.5 if len(shape) > 1 else 1.0
    return scale * torch.randn(shape, generator=generator)


def case(name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights, input and the output in float64, and what timm writes as `config.json`."""
    architecture, options = CASES[name]
    model = timm.create_model(architecture, **{**SMALL, **options}).eval()
    generator = torch.Generator().manual_seed(7)
    for parameter in model.parameters():
        parameter.data = drawn(tuple(parameter.shape), generator)
    x = torch.randn(2, 2, 8, 12, generator=generator)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        save_for_hf(model, folder, model_args={**SMALL, **options})
        config = json.loads((Path(folder) / "config.json").read_text())
        weights = {f"{name}/weights/{key}": value for key, value in model.state_dict().items()}
        ask = model.double().forward_features if name == "encoder" else model.double()
        return {**weights, f"{name}/input": x, f"{name}/output": ask(x.double())}, config


def filled(model: torch.nn.Module) -> tuple[torch.Generator, float]:
    """Every parameter drawn in its order; what draws, and the sum of all."""
    generator = torch.Generator().manual_seed(7)
    total = 0.0
    for parameter in model.parameters():
        parameter.data = drawn(tuple(parameter.shape), generator)
        total += float(parameter.data.double().sum())
    return generator, total


def large(name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The output in float64 and the sum of the weights; names and shapes in order, and `config.json`."""
    architecture, options = LARGE[name]
    model = timm.create_model(architecture, **options).eval()
    generator, total = filled(model)
    x = torch.randn(1, 3, 224, 224, generator=generator)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        save_for_hf(model, folder, model_args=options)
        config = json.loads((Path(folder) / "config.json").read_text())
        output = model.double()(x.double())
    shapes = [[key, list(value.shape)] for key, value in model.named_parameters()]
    found = {f"{name}/output": output, f"{name}/sum": torch.tensor(total, dtype=torch.float64)}
    return found, {"shapes": shapes, "config": config}


JAX_SMALL = {"width": 12, "heads": 3, "inside": 24, "depth": 1, "patch": 4, "size": 12}
JAX_BASE = {"width": 768, "heads": 12, "inside": 3072, "depth": 12, "patch": 16, "size": 224}


def jax(width: int, heads: int, inside: int, depth: int, patch: int, size: int) -> dict[str, torch.Tensor]:
    """Arrays laid out as the original `.npz` files are, what goes in, and what timm makes of them."""
    classes, generator = 3, torch.Generator().manual_seed(8)
    shapes: dict[str, tuple[int, ...]] = {
        "cls": (1, 1, width),
        "embedding/kernel": (patch, patch, 3, width),
        "embedding/bias": (width,),
        "Transformer/posembed_input/pos_embedding": (1, 1 + (size // patch) ** 2, width),
        "Transformer/encoder_norm/scale": (width,),
        "Transformer/encoder_norm/bias": (width,),
        "head/kernel": (width, classes),
        "head/bias": (classes,),
    }
    for layer in range(depth):
        shapes |= jax_layer(f"Transformer/encoderblock_{layer}/", width, heads, inside)
    arrays = {name: drawn(shape, generator) for name, shape in shapes.items()}
    arrays["head/kernel"] *= (classes / width) ** 0.5  # by what enters it, as in timm's own start
    model = timm.create_model(
        VIT, img_size=size, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads,
        mlp_ratio=inside / width, num_classes=classes, act_layer="gelu_tanh",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        np.savez(Path(folder) / "file.npz", **{name: array.numpy() for name, array in arrays.items()})
        model.load_pretrained(str(Path(folder) / "file.npz"))
        x = torch.randn(2 if depth == 1 else 1, 3, size, size, generator=generator)
        output = model.eval().double()(x.double())
    return {**{f"weights/{name}": array for name, array in arrays.items()}, "input": x, "output": output}


def jax_layer(block: str, width: int, heads: int, inside: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for norm in ("LayerNorm_0", "LayerNorm_2"):
        shapes |= {f"{block}{norm}/{part}": (width,) for part in ("scale", "bias")}
    attention = f"{block}MultiHeadDotProductAttention_1/"
    for part in ("query", "key", "value"):
        shapes[f"{attention}{part}/kernel"] = (width, heads, width // heads)
        shapes[f"{attention}{part}/bias"] = (heads, width // heads)
    shapes |= {f"{attention}out/kernel": (heads, width // heads, width), f"{attention}out/bias": (width,)}
    for name, (enter, leave) in {"Dense_0": (width, inside), "Dense_1": (inside, width)}.items():
        shapes |= {
            f"{block}MlpBlock_3/{name}/kernel": (enter, leave),
            f"{block}MlpBlock_3/{name}/bias": (leave,),
        }
    return shapes


def jax_base() -> tuple[dict[str, torch.Tensor], list[Any]]:
    """Of a whole base model the output and the sum of the weights; names and shapes in order."""
    found = jax(**JAX_BASE)
    arrays = {name.removeprefix("weights/"): array for name, array in found.items() if "weights/" in name}
    total = sum(float(array.double().sum()) for array in arrays.values())
    kept = {"jax base/output": found["output"], "jax base/sum": torch.tensor(total, dtype=torch.float64)}
    return kept, [[name, list(array.shape)] for name, array in arrays.items()]


def resized() -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for name, (old, new) in GRIDS.items():
        before = torch.randn(1, 1 + old[0] * old[1], 3, generator=torch.Generator().manual_seed(9))
        after = resample_abs_pos_embed(before, list(new), list(old))
        found |= {f"positions/{name}/before": before[0], f"positions/{name}/after": after[0]}
    return found


def sizes() -> dict[str, list[int]]:
    """Width, heads and depth of timm's own sizes."""
    found = {}
    for name in SIZES:
        with torch.device("meta"):
            model = timm.create_model(name)
        found[name] = [model.embed_dim, model.blocks[0].attn.num_heads, len(model.blocks)]
    return found


def judge(folder: str) -> None:
    """Open a folder strictly and print what came out for its own trial input."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    cfg = model.pretrained_cfg
    print(type(model).__name__, model.num_classes, cfg["input_size"], cfg["mean"], cfg["std"])
    x = torch.randn(2, *cfg["input_size"], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        output = (
            model.double()(x.double()) if model.num_classes else model.double().forward_features(x.double())
        )
    save_file({"input": x, "output": output}, Path(folder) / "judged.safetensors")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        judge(sys.argv[1])
        sys.exit()
    tensors = {**{f"jax/{name}": tensor for name, tensor in jax(**JAX_SMALL).items()}, **resized()}
    configs, larger = {}, {}
    for name in CASES:
        found, configs[name] = case(name)
        tensors |= found
    for name in LARGE:
        found, larger[name] = large(name)
        tensors |= found
    found, shapes = jax_base()
    told = {"timm": timm.__version__, "configs": configs, "sizes": sizes(), "large": larger, "jax": shapes}
    save_file(
        {key: value.contiguous() for key, value in (tensors | found).items()},
        Path(__file__).parent / "files" / "timm.safetensors",
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in told.items()},
    )
