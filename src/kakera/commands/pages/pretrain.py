"""The page of a pretraining: loss, reconstructions, cost, and the next commands."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from kakera.commands.pages import parts as page_parts
from kakera.commands.pages import tables
from kakera.commands.pages.history import History, stalled
from kakera.commands.result import TrainResult
from kakera.commands.token_comparison import read_comparison
from kakera.data.dataset import Dataset
from kakera.explain.reconstruct import legend
from kakera.formats.bundle import require_mae
from kakera.reports import html
from kakera.reports.media import sheet
from kakera.training.options import PretrainOptions
from kakera.training.planning.next_commands import Situation, after_pretrain, bare
from kakera.training.predictions import Predictions

TOKENS = " It also learned to predict the tokens of the frozen start at hidden patches, with weight {:g}."
SHEETS = 3  # number of shown reconstruction sheets: the first, one in the middle, the last


@dataclass(frozen=True, eq=False)
class PretrainPage:
    """A function that makes the page; it holds what the page needs besides the finished run."""

    train: Dataset
    options: PretrainOptions
    situation: Situation
    """The facts that the next commands depend on."""

    def __call__(self, trained: TrainResult, predictions: Predictions | None) -> str:
        """Return the page as HTML; `predictions` is not used."""
        history = History.of(trained.folder)
        return html.page(
            f"kakera pretrain: {self.train.name}",
            *_opening(history),
            *_comparison(trained),
            tables.skipped(trained.folder),
            html.heading("What to do next"),
            html.code(bare(after_pretrain(self.situation, trained.folder))),
            html.heading("Training curve"),
            page_parts.loss_curves(history),
            *_reconstructions(trained),
            html.heading("Cost and settings"),
            html.paragraph(self._story(trained)),
            page_parts.cost(history, trained.saved, self.options, len(self.train), self.train.kind),
            tables.settings(asdict(self.options)),
        )

    def _story(self, trained: TrainResult) -> str:
        options, hidden = self.options, 100 * self.options.mask_ratio
        return (
            f"{page_parts.network(trained.saved)} The training files were {len(self.train)} "
            f"{self.train.kind}, without labels. Training lasted {options.epochs:g} epochs. In each of the "
            f"{self.train.kind} {hidden:.0f} % of the patches were hidden ({options.masking} masks), and the "
            "network learned to predict them."
            + (f" Training started from the encoder of {options.init_from}." if options.init_from else "")
            + (TOKENS.format(options.token_target) if options.token_target else "")
        )


def _opening(history: History) -> list[str]:
    """Return a sentence about the loss, and a warning if the loss did not fall."""
    losses, text = history.values("loss"), stalled(history.values("loss"))
    if not losses:
        return [html.verdict("No epoch was logged, so the loss is unknown.", "doubt")]
    if text:
        sentence = "The loss did not fall, so the network has probably learned little."
        return [html.verdict(sentence, "bad"), html.warning(text)]
    after = f"after {history.records[-1]['epoch']:g} epochs the loss is {losses[-1]:.4g}"
    if len(losses) == 1:
        return [
            html.verdict(
                f"Only one epoch was logged: {after}. This is too short to judge the training.", "doubt"
            )
        ]
    return [
        html.verdict(f"Training is finished: {after}; after the first epoch it was {losses[0]:.4g}.", "good"),
        html.note(
            "The loss does not show how useful the network is. Use a probe or a fine-tuning to measure that."
        ),
    ]


def _comparison(trained: TrainResult) -> list[str]:
    """Return the comparison with the encoder that the training started from, if there is one."""
    found = read_comparison(trained.folder)
    return [] if found is None else [html.verdict(found.text, found.verdict)]


def _reconstructions(trained: TrainResult) -> list[str]:
    """Return the last sheet of reconstructions, and a middle one and the first, which are closed."""
    paths = sorted((trained.folder / "pictures").glob("*.png"))
    if not paths or not trained.saved.model.reconstructs:
        return []
    places = sorted({len(paths) - 1, (len(paths) - 1) // 2, 0}, reverse=True)[:SHEETS]
    parts = [html.heading("Reconstructions")]
    for place in places:
        epoch = paths[place].stem.rpartition("-")[2].lstrip("0") or "0"
        content, kind = sheet(paths[place].read_bytes())
        caption = f"After epoch {epoch}, in groups of three: {legend(require_mae(trained.saved).model)}."
        shown = html.picture(content, caption=caption, kind=kind)
        parts.append(shown if place == places[0] else html.details(f"After epoch {epoch}", shown))
    return parts
