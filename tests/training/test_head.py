import numpy as np
import torch

from kakera.formats.native import Saved
from kakera.model.classifier import Classifier, Read
from kakera.training.head import start_from_ridge
from kakera.training.infer import features, scores
from kakera.training.ridge import ridge
from tests.small import pictures
from tests.training.test_infer import classifier, each_pool


@each_pool
def test_the_head_starts_with_the_ridge_probe_s_guesses(pool: Read) -> None:
    saved, train, test = classifier(pool), pictures(60, 0), pictures(0, 30)
    assert train.labels is not None
    start_from_ridge(saved, train)
    seen = [features(saved, part, [-1], [pool])[0][-1, pool] for part in (train, test)]
    expected = ridge(seen[0], train.labels, seen[1], classes=10, seed=0)
    logits = np.log(scores(saved, test)[0])
    # log-softmax of 2 · (±1 scores) = 4 · probe scores, less a constant a row
    difference = logits - 4 * expected
    np.testing.assert_allclose(difference - difference.mean(axis=1, keepdims=True), 0, atol=1e-3)


def test_the_encoder_stays_as_it_was() -> None:
    saved = classifier()
    assert isinstance(saved.model, Classifier)
    before = {name: value.clone() for name, value in saved.model.encoder.state_dict().items()}
    start_from_ridge(Saved(saved.model, saved.inputs, saved.classes), pictures(40, 0))
    assert all(torch.equal(before[name], value) for name, value in saved.model.encoder.state_dict().items())
