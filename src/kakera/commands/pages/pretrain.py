"""The page of a pretraining: did the loss fall, what does it guess, what to do with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from kakera.commands.pages import parts as page_parts
from kakera.commands.pages.history import History, stalled
from kakera.commands.result import Predictions, TrainResult
from kakera.data.dataset import Dataset
from kakera.explain.reconstruct import legend
from kakera.formats.bundle import require_mae
from kakera.reports import html
from kakera.reports.media import sheet
from kakera.training.options import PretrainOptions
from kakera.training.planning.next_commands import Situation, after_pretrain, bare

SHEETS = 3  # of reconstructions: the first, one in the middle, the last


@dataclass(frozen=True, eq=False)
class PretrainPage:
    """What the page needs beside the finished run."""

    train: Dataset
    options: PretrainOptions
    situation: Situation
    """What commands follow from."""

    def __call__(self, trained: TrainResult, predictions: Predictions | None) -> str:
        """Make the page."""
        history = History.of(trained.folder)
        return html.page(
            f"kakera pretrain: {self.train.name}",
            *_opening(history),
            page_parts.skipped(trained.folder),
            html.heading("Next"),
            html.code(bare(after_pretrain(self.situation, trained.folder))),
            html.heading("How it learned"),
            page_parts.loss_curves(history),
            *_reconstructions(trained),
            html.heading("What it cost, and how it was set"),
            html.paragraph(self._story(trained)),
            page_parts.cost(history, trained.saved, self.options, len(self.train), self.train.kind),
            page_parts.settings(asdict(self.options)),
        )

    def _story(self, trained: TrainResult) -> str:
        options, hidden = self.options, 100 * self.options.mask_ratio
        return (
            f"{page_parts.network(trained.saved)} It was trained on {len(self.train)} {self.train.kind}, "
            f"without their labels, for {options.epochs:g} epochs, to guess the {hidden:.0f} % of the "
            f"patches that were hidden ({options.masking} masks)."
        )


def _opening(history: History) -> list[str]:
    """One sentence, and a warning where the loss did not fall."""
    losses, text = history.values("loss"), stalled(history.values("loss"))
    if not losses:
        return [html.verdict("No epoch was logged, so nothing is known of the loss.", "doubt")]
    if text:
        said = "The loss did not fall, so what was learned is probably worth little."
        return [html.verdict(said, "bad"), html.warning(text)]
    after = f"after {history.records[-1]['epoch']:g} epochs the loss is {losses[-1]:.4g}"
    if len(losses) == 1:
        return [html.verdict(f"One epoch was logged: {after}. That is too short to judge.", "doubt")]
    return [
        html.verdict(f"Trained: {after}; after the first it was {losses[0]:.4g}.", "good"),
        html.note("A loss says little about how useful the network is: a probe or a fine-tuning tells."),
    ]


def _reconstructions(trained: TrainResult) -> list[str]:
    """The first, a middle and the last sheet that was drawn; the last one first."""
    paths = sorted((trained.folder / "pictures").glob("*.png"))
    if not paths or not trained.saved.model.reconstructs:
        return []
    places = sorted({len(paths) - 1, (len(paths) - 1) // 2, 0}, reverse=True)[:SHEETS]
    parts = [html.heading("What it guesses")]
    for place in places:
        epoch = paths[place].stem.rpartition("-")[2].lstrip("0") or "0"
        content, kind = sheet(paths[place].read_bytes())
        caption = f"After epoch {epoch}, in threes: {legend(require_mae(trained.saved).model)}."
        shown = html.picture(content, caption=caption, kind=kind)
        parts.append(shown if place == places[0] else html.details(f"After epoch {epoch}", shown))
    return parts
