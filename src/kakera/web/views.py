"""The computations behind the answers of the server. A picture is encoded once and then cached."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from kakera.data.audio.wav import audible_wav
from kakera.data.images.resize import OF_PILLOW, image_of
from kakera.errors import OptionError
from kakera.explain import masks
from kakera.explain.activations import RAW, Activations, Array, as_bytes, encode
from kakera.explain.attention import rollout
from kakera.explain.axes import Axis, axes_of
from kakera.explain.extent import ValidArea
from kakera.explain.picture import png
from kakera.explain.reconstruct import Reconstruction, reconstruct
from kakera.explain.relevance import relevance
from kakera.explain.similarity import similarities
from kakera.formats.bundle import require_mae, require_token_classifier
from kakera.formats.classes import exceeds_threshold
from kakera.formats.inference import probabilities
from kakera.formats.rejection import rejection_pool
from kakera.grid import Grid
from kakera.model.classifier import Pooling, pool_tokens
from kakera.sound.griffin_lim import waveform
from kakera.sound.spec import SoundSpec
from kakera.web.cache import Cache, Limiter
from kakera.web.models import State
from kakera.web.schemas import AudioRequest, Mask, ReconstructionRequest
from kakera.web.store import Item, ModelInput

KEPT_BYTES = 512 << 20  # bytes of cached activations


@dataclass(frozen=True)
class Views:
    """Cached computations of models. Thread-safe: `turns` limits how many run at the same time."""

    memory: Cache
    turns: Limiter

    @classmethod
    def new(cls) -> Views:
        """Return `Views` with the default limits."""
        return cls(Cache(KEPT_BYTES), Limiter())

    def model_input(self, state: State, picture: Item) -> ModelInput:
        """Return the picture or recording as input of the model. Raises UnreadableFileError."""

        def make() -> ModelInput:
            with self.turns.slot():
                return picture.model_input(state.saved.inputs)

        return self.memory.get(
            ("framed", state.id, picture.id), make, lambda model_input: model_input.values.nbytes
        )

    def activations(self, state: State, picture: Item) -> Activations:
        """Return the activations of the encoder for the picture. Raises RunError for a CNN."""
        encoder, model_input = state.saved.encoder, self.model_input(state, picture)

        def make() -> Activations:
            with self.turns.slot():
                return encode(
                    encoder, state.saved.inputs, model_input.values, model_input.width, model_input.start
                )

        return self.memory.get(("seen", *state.key, picture.id), make, _bytes)

    def png(self, state: State, picture: Item, shown: Sequence[int] = ()) -> bytes:
        """Return the picture in the size of the model as a PNG, without padding, row by row.

        `shown` are up to three channels, from 1, for a model that takes neither 1 nor 3 channels.
        """
        model_input, scene = self.model_input(state, picture), self.scene(state, picture)
        shares = state.saved.inputs.to_unit(model_input.values[None])[0]
        return _png(as_bytes(shares[..., : scene["size"][1]]), shown)

    def scene(self, state: State, picture: Item) -> dict[str, Any]:
        """Return size, grid of patches and axes of the picture, without padding."""
        inputs, model_input = state.saved.inputs, self.model_input(state, picture)
        encoder = state.saved.model.backbone
        if encoder is None:
            width, grid, step = model_input.width or inputs.width, Grid(1, 1), inputs.size
        else:
            extent = ValidArea.of(encoder, model_input.width)
            width, grid, step = extent.width, extent.grid, encoder.config.step
        axes = axes_of(inputs, width, model_input.start)
        seconds = (
            0.0
            if model_input.wave is None or inputs.sound is None
            else inputs.sound.seconds(len(model_input.wave))
        )
        return {
            "size": (inputs.height, width),
            "rows": grid.rows,
            "cols": grid.cols,
            "down": _axis(axes.down, grid.rows, step[0]),
            "across": _axis(axes.across, grid.cols, step[1]),
            "upwards": axes.upwards,
            "start": model_input.start,
            "end": model_input.start + seconds,
            "window": model_input.window,
            "windows": model_input.windows,
        }

    def attention(
        self, state: State, picture: Item, layer: int, head: int, token: int | None
    ) -> dict[str, Array]:
        """Return attention weights a_ij over the patches, (1 + n, n), or (1, n) for one `token`.

        `layer` counts from 1 and −1 is the last. Head 0 is the mean. Raises OptionError, RunError.
        """
        seen = self.activations(state, picture)
        heads = seen.attention_of(layer)
        rows = seen.to_patches(heads[seen.head(head)] if head else heads.mean(axis=0))
        return {"attention": rows if token is None else rows[seen.token(token)][None]}

    def rollout(self, state: State, picture: Item) -> dict[str, Array]:
        """Return attention rollout (`explain.rollout`) over the patches, (1 + n, n). Raises RunError."""
        seen = self.activations(state, picture)
        reach = self.memory.get(
            ("rollout", *state.key, picture.id), lambda: rollout(seen), lambda array: array.nbytes
        )
        return {"attention": seen.to_patches(reach)}

    def similarity(self, state: State, picture: Item, layer: int | Literal["raw"]) -> dict[str, Array]:
        """Return the cosine similarities of all patches, (n, n). Raises OptionError, RunError."""
        seen = self.activations(state, picture)
        number = RAW if layer == "raw" else layer
        return {"similarity": np.clip(similarities(seen, seen, number), -1, 1)}

    def relevance(self, state: State, picture: Item, asked: str | None) -> dict[str, Any]:
        """Return the relevance of each patch, (n,), for a class; None takes the most probable class.

        Raises OptionError if the model has no such class.
        """
        model, classes = require_token_classifier(state.saved).model, state.saved.classes
        name = asked or self.prediction(state, picture)["probabilities"][0]["name"]
        if name not in classes:
            known = ", ".join(classes)
            raise OptionError("class", got=name[:80], expected=known, do="choose one of them")
        model_input, target = self.model_input(state, picture), classes.index(name)

        def make() -> Array:
            with self.turns.slot():
                values = relevance(model, state.saved.inputs, model_input.values, target, model_input.width)
                return values.reshape(-1)

        key = ("relevance", *state.key, picture.id, name)
        return {"target": name, "relevance": self.memory.get(key, make, lambda array: array.nbytes)}

    def prediction(self, state: State, picture: Item) -> dict[str, Any]:
        """Return the classes with their probabilities, the most probable first. Raises OptionError."""
        model_input, front = self.model_input(state, picture), state.saved.front_end
        padding = None if model_input.width is None else front.padding(torch.tensor([model_input.width]))

        def make() -> NDArray[np.float32]:
            with self.turns.slot():
                pixels = front.inputs.normalize(model_input.values[None])
                return probabilities(state.saved, pixels, padding)[0].numpy()

        row = self.memory.get(("predict", *state.key, picture.id), make, lambda array: array.nbytes)
        order = np.argsort(-row, kind="stable")
        named = [{"name": state.saved.classes[i], "probability": row[i].item()} for i in order]
        several = state.saved.multi_label
        chosen = (
            exceeds_threshold(row, state.saved.thresholds) if several else np.arange(len(row)) == order[0]
        )
        labels = [state.saved.classes[i] for i in order if chosen[i]]
        typical = self._typical(state, picture)
        return {"multi_label": several, "labels": labels, "probabilities": named, "typical": typical}

    def _typical(self, state: State, picture: Item) -> float | None:
        """Return the share of held-out training files that are at least as unusual; None if unknown."""
        rejection = state.saved.rejection
        if rejection is None or self.model_input(state, picture).windows > 1:
            return None
        pool = rejection_pool(state.saved.encoder.config.class_tokens)
        vector = self.embedding(state, picture, -1, pool)["embedding"]
        return float(rejection.typical(vector[None])[0])

    def embedding(self, state: State, picture: Item, layer: int, pool: Pooling) -> dict[str, Any]:
        """Return one vector (d,) of a layer, after the final norm, like the input of probes.

        Raises OptionError, RunError.
        """
        tokens = torch.from_numpy(self.activations(state, picture).tokens_of(layer).copy())
        with torch.inference_mode():
            return {"embedding": pool_tokens(state.saved.encoder, tokens[None], pool)[0].numpy()}

    def reconstruction(self, state: State, picture: Item, mask: ReconstructionRequest) -> dict[str, Any]:
        """Return the picture reconstructed from its visible patches. Raises OptionError, RunError."""
        model, found = require_mae(state.saved).model, self._guess(state, picture, mask)
        (rows, cols), (high, wide) = found.hidden.shape[1:], model.encoder.config.patch
        errors = found.error[0].reshape(rows, high, cols, wide).mean(axis=(1, 3)).reshape(-1)
        return {
            "hidden": (np.flatnonzero(found.hidden[0]) + 1).tolist(),
            "masked": _url(found.masked[0], mask.shown),
            "prediction": _url(found.prediction[0], mask.shown),
            "errors": errors,
            "error": float(found.mean_errors()[0]),
            "baseline": float(found.baseline_errors()[0]),
            "borrowed": found.borrowed,
        }

    def audio(self, state: State, picture: Item) -> bytes:
        """Return the audio that the model receives, as a WAV file. Raises OptionError for picture models."""
        spec, wave = _sound(state), self.model_input(state, picture).wave
        assert wave is not None
        return audible_wav(wave.numpy(), spec.rate)

    def reconstructed_audio(self, state: State, picture: Item, mask: AudioRequest) -> bytes:
        """Convert a spectrogram, reconstructed or original, to a WAV file (Griffin and Lim 1984).

        Raises OptionError for picture models, and RunError if a model without decoder must reconstruct.
        """
        spec, model_input = _sound(state), self.model_input(state, picture)
        values = model_input.values if mask.of == "original" else self._guess(state, picture, mask).values[0]
        with self.turns.slot():
            return audible_wav(waveform(values[0, :, : model_input.width], spec), spec.rate)

    def _guess(self, state: State, picture: Item, mask: Mask) -> Reconstruction:
        model, model_input = require_mae(state.saved).model, self.model_input(state, picture)
        grid = ValidArea.of(model.encoder, model_input.width).grid
        hidden = (
            masks.random_masks(grid, mask.ratio, seed=mask.seed, kind=mask.masking)
            if mask.hidden is None
            else masks.mask_of_patches(grid, mask.hidden)
        )
        with self.turns.slot():
            return reconstruct(
                model, state.saved.inputs, model_input.values, hidden, model_input.width, model_input.start
            )


def _axis(axis: Axis, count: int, step: int) -> dict[str, Any]:
    """Return the ticks of an axis, and the borders of `count` patches of `step` pixels."""
    borders = np.minimum(np.arange(count + 1) * step, axis.length)
    return {
        "name": axis.name,
        "unit": axis.unit,
        "ticks": [{"at": at, "text": text} for at, text in axis.ticks()],
        "edges": axis.edges[borders].tolist(),
    }


def _sound(state: State) -> SoundSpec:
    spec = state.saved.inputs.sound
    if spec is None:
        raise OptionError(
            "model", got="a model of pictures", expected="a model of recordings", do="choose another model"
        )
    return spec


def _bytes(seen: Activations) -> int:
    return seen.picture.nbytes + seen.vectors.nbytes + seen.tokens.nbytes + seen.attention.nbytes


def _png(values: NDArray[np.uint8], shown: Sequence[int] = ()) -> bytes:
    chosen = () if values.shape[-1] in OF_PILLOW else tuple(channel - 1 for channel in shown)
    return png(image_of(values, chosen if len(chosen) in OF_PILLOW else ()))


def _url(values: NDArray[np.uint8], shown: Sequence[int] = ()) -> str:
    return f"data:image/png;base64,{base64.b64encode(_png(values, shown)).decode()}"
