"""What a model makes of a picture, as the answers of the server: encoded once, asked often."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from kakera.data.augment import centre_box, cut
from kakera.errors import OptionError, sentence
from kakera.explain import masks
from kakera.explain.attention import rollout
from kakera.explain.picture import png
from kakera.explain.reconstruct import reconstruct, require_autoencoder
from kakera.explain.relevance import relevance
from kakera.explain.seen import RAW, Array, Seen, as_bytes, look
from kakera.explain.similarity import similarities
from kakera.model.classifier import Classifier, Pool, pooled
from kakera.training.infer import probabilities
from kakera.web.answers import Mask
from kakera.web.memory import Memory, Turns
from kakera.web.models import State
from kakera.web.pictures import Picture

KEPT_BYTES = 512 << 20  # of pictures as models have seen them


@dataclass(frozen=True)
class Views:
    """Safe to be asked from several threads: a model computes in turns, what it has seen is kept."""

    memory: Memory
    turns: Turns

    @classmethod
    def new(cls) -> Views:
        """With the usual limits."""
        return cls(Memory(KEPT_BYTES), Turns())

    def picture(self, state: State, picture: Picture) -> Tensor:
        """(c, H, W), the picture in the model's size, as in prediction. Raises UnreadableFileError."""

        def make() -> Tensor:
            with self.turns.turn():
                values = picture.values(state.saved.inputs.channels)
                size = state.saved.inputs.size
                return torch.tensor(cut(values, centre_box(values.shape[:2], size), size))

        return self.memory.get(("picture", state.id, picture.id), make, lambda tensor: tensor.nbytes)

    def seen(self, state: State, picture: Picture) -> Seen:
        """The picture encoded. Raises RunError for a CNN."""
        encoder, tensor = state.saved.encoder, self.picture(state, picture)

        def make() -> Seen:
            with self.turns.turn():
                return look(encoder, state.saved.inputs, tensor)

        return self.memory.get(("seen", *state.key, picture.id), make, _bytes)

    def png(self, state: State, picture: Picture) -> bytes:
        """The picture in the model's size as a PNG."""
        return _png(as_bytes(self.picture(state, picture) / state.saved.inputs.scale))

    def attention(
        self, state: State, picture: Picture, layer: int, head: int, token: int | None
    ) -> dict[str, Array]:
        """Rows of a_ij over the patches; head 0 is the mean. Raises OptionError, RunError."""
        seen = self.seen(state, picture)
        heads = seen.attention_of(layer)
        rows = heads[seen.head(head)] if head else heads.mean(axis=0)
        rows = rows if token is None else rows[seen.token(token)][None]
        return {"attention": rows[:, 1:]}

    def rollout(self, state: State, picture: Picture) -> dict[str, Array]:
        """Rows of `explain.rollout` over the patches. Raises RunError."""
        seen = self.seen(state, picture)
        reach = self.memory.get(
            ("rollout", *state.key, picture.id), lambda: rollout(seen), lambda array: array.nbytes
        )
        return {"attention": reach[:, 1:]}

    def similarity(self, state: State, picture: Picture, layer: int | Literal["raw"]) -> dict[str, Array]:
        """Cosines of the patches. Raises OptionError, RunError."""
        seen = self.seen(state, picture)
        number = RAW if layer == "raw" else layer
        return {"similarity": np.clip(similarities(seen, seen, number), -1, 1)}

    def relevance(self, state: State, picture: Picture, target: str | None) -> dict[str, Any]:
        """Evidence for a class, the likeliest where none is named. Raises OptionError."""
        model, classes = state.saved.model, state.saved.classes
        if not isinstance(model, Classifier):
            raise OptionError(
                sentence("model", got="no classifier of tokens", expected="one", do="name a fine-tuned run")
            )
        name = target or self.prediction(state, picture)["probabilities"][0]["name"]
        if name not in classes:
            known = ", ".join(classes)
            raise OptionError(sentence("class", got=name[:80], expected=known, do="choose one of these"))
        tensor = self.picture(state, picture)

        def make() -> Array:
            with self.turns.turn():
                return relevance(model, state.saved.inputs, tensor, classes.index(name)).reshape(-1)

        key = ("relevance", *state.key, picture.id, name)
        return {"target": name, "relevance": self.memory.get(key, make, lambda array: array.nbytes)}

    def prediction(self, state: State, picture: Picture) -> dict[str, Any]:
        """Classes with their probabilities, the likeliest first. Raises OptionError."""
        tensor = self.picture(state, picture)

        def make() -> NDArray[np.float32]:
            with self.turns.turn():
                return probabilities(state.saved, tensor[None])[0].numpy()

        row = self.memory.get(("predict", *state.key, picture.id), make, lambda array: array.nbytes)
        order = np.argsort(-row, kind="stable")
        named = [{"name": state.saved.classes[i], "probability": row[i].item()} for i in order]
        return {"several": state.saved.several, "probabilities": named}

    def embedding(self, state: State, picture: Picture, layer: int, pool: Pool) -> dict[str, Any]:
        """One vector of a layer, after the final norm, as probes read it. Raises OptionError, RunError."""
        tokens = torch.from_numpy(self.seen(state, picture).tokens_of(layer).copy())
        with torch.inference_mode():
            return {"embedding": pooled(state.saved.encoder, tokens[None], pool)[0].numpy()}

    def reconstruction(self, state: State, picture: Picture, mask: Mask) -> dict[str, Any]:
        """The picture guessed from what a mask leaves visible. Raises OptionError, RunError."""
        model, tensor = require_autoencoder(state.saved.model), self.picture(state, picture)
        grid = model.encoder.grid
        hidden = (
            masks.drawn(grid, mask.ratio, seed=mask.seed, kind=mask.masking)
            if mask.hidden is None
            else masks.named(grid, mask.hidden)
        )
        with self.turns.turn():
            found = reconstruct(model, state.saved.inputs, tensor, hidden)
        high, wide = model.encoder.shape.patch
        errors = found.error[0].reshape(grid.rows, high, grid.cols, wide).mean(axis=(1, 3)).reshape(-1)
        return {
            "hidden": (np.flatnonzero(hidden[0]) + 1).tolist(),
            "masked": _url(found.masked[0]),
            "prediction": _url(found.prediction[0]),
            "errors": errors,
            "error": float(found.mean_errors()[0]),
            "borrowed": found.borrowed,
        }


def _bytes(seen: Seen) -> int:
    return seen.picture.nbytes + seen.vectors.nbytes + seen.tokens.nbytes + seen.attention.nbytes


def _png(values: NDArray[np.uint8]) -> bytes:
    return png(Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values))


def _url(values: NDArray[np.uint8]) -> str:
    return f"data:image/png;base64,{base64.b64encode(_png(values)).decode()}"
