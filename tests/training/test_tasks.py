from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from kakera import seeding
from kakera.data.loader import Augmentation, Batch, training_batches
from kakera.formats.native import seeded_generator
from kakera.inputs import InputSpec
from kakera.masking import choose_subset, random
from kakera.model.classifier import Classifier
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from kakera.training.class_shares import class_weights, log_prior
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.tasks import Classification, Pretraining
from tests.small import pictures

INPUTS = InputSpec(1, 28, 28, (0.3,), (0.35,))
PLAIN = {
    "mixup": 0.0,
    "cutmix": 0.0,
    "randaugment": 0.0,
    "random_erasing": 0.0,
    "drop_path": 0.0,
    "label_smoothing": 0.0,
}


def batch(step: int = 0) -> Batch:
    train = pictures(40, 0).part("train")
    batches = training_batches(train, (28, 28), Augmentation(), seed=0, batch=8, steps=step + 1, start=step)
    return next(batches)


def encoder() -> ViT:
    return ViT(vit_config("nano"), channels=1, image_size=(28, 28))


def classification(
    *, multi_label: bool = False, labels: NDArray[Any] | None = None, **given: float
) -> Classification:
    model = Classifier(encoder(), 10)
    model.reset_parameters(seeded_generator(0))
    torch.nn.init.normal_(model.head.weight, generator=seeded_generator(1))
    options = FinetuneOptions(data="", **{**PLAIN, **given})
    return Classification(model, INPUTS, options, multi_label=multi_label, labels=labels)


def test_pretraining_hides_what_the_seed_the_epoch_and_the_picture_say() -> None:
    model = MAE(encoder(), vit_config("nano").decoder)
    model.reset_parameters(seeded_generator(0))
    options = PretrainOptions(data="", mask_ratio=0.75, seed=5)
    found = batch(7)  # in the second epoch
    assert found.epoch == 1
    noise = seeding.uniform(5, 1, found.samples.numpy(), "mask", 49)
    hidden = torch.from_numpy(random(noise, model.encoder.grid, 0.75))
    expected = model(INPUTS.normalize(found.pictures), hidden)
    assert torch.equal(Pretraining(model, INPUTS, options).loss(model, found), expected)


def test_a_share_of_the_hidden_patches_is_predicted_drawn_for_itself() -> None:
    model = MAE(encoder(), vit_config("nano").decoder)
    model.reset_parameters(seeded_generator(0))
    found = batch()
    noise = {use: seeding.uniform(5, 0, found.samples.numpy(), use, 49) for use in ("mask", "predicted")}
    hidden = random(noise["mask"], model.encoder.grid, 0.75)
    asked = choose_subset(noise["predicted"], hidden, 0.25)
    assert asked.sum() == 8 * 9  # of 37 hidden ones
    expected = model(
        INPUTS.normalize(found.pictures), torch.from_numpy(hidden), predict_mask=torch.from_numpy(asked)
    )
    options = PretrainOptions(data="", mask_ratio=0.75, predicted=0.25, seed=5)
    assert torch.equal(Pretraining(model, INPUTS, options).loss(model, found), expected)


def test_dropped_patches_are_drawn_for_each_picture_and_never_seen() -> None:
    task, found = classification(patch_dropout=0.5), batch()
    noise = seeding.uniform(0, found.epoch, found.samples.numpy(), "patch-dropout", 49)
    dropped = torch.from_numpy(random(noise, task.model.encoder.grid, 0.5))
    assert (dropped.sum(dim=1) == 25).all()
    logits = task.model(INPUTS.normalize(found.pictures), padding_mask=dropped)
    assert torch.equal(task.loss(task.model, found), functional.cross_entropy(logits, found.labels))


def test_without_any_augmentation_the_loss_is_the_cross_entropy() -> None:
    task, found = classification(), batch()
    assert found.labels is not None
    expected = functional.cross_entropy(task.model(INPUTS.normalize(found.pictures)), found.labels)
    torch.testing.assert_close(task.loss(task.model, found), expected)


def test_smoothing_is_that_of_the_cross_entropy() -> None:
    task, found = classification(label_smoothing=0.1), batch()
    assert found.labels is not None
    scores = task.model(INPUTS.normalize(found.pictures))
    expected = functional.cross_entropy(scores, found.labels, label_smoothing=0.1)
    torch.testing.assert_close(task.loss(task.model, found), expected)


def test_several_labels_are_one_yes_or_no_each() -> None:
    task, found = classification(multi_label=True), batch()
    assert found.labels is not None
    hot = functional.one_hot(found.labels, 10).float()
    multi_label = Batch(found.pictures, hot, found.samples, found.epoch, found.step)
    probabilities = task.model(INPUTS.normalize(found.pictures)).double().sigmoid()
    expected = -(hot * probabilities.log() + (1 - hot) * (1 - probabilities).log()).mean()
    torch.testing.assert_close(task.loss(task.model, multi_label), expected.float())


def test_a_step_s_loss_is_the_same_every_time() -> None:
    task = classification(mixup=0.8, cutmix=1.0, random_erasing=0.5, drop_path=0.3, randaugment=9.0)
    first = task.loss(task.model, batch(3))
    torch.rand(5)
    assert torch.equal(first, task.loss(task.model, batch(3)))


def test_stochastic_depth_is_at_work() -> None:
    still, dropping = classification(), classification(drop_path=0.9)
    assert not torch.equal(still.loss(still.model, batch()), dropping.loss(dropping.model, batch()))


def test_class_balance_adds_the_log_of_the_class_shares_to_the_scores_of_the_loss() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2] * 1 + [-1] * 5)
    task, found = classification(labels=labels, class_balance=0.5), batch()
    assert found.labels is not None
    shares = [6 / 17, 3 / 17, 1 / 17, *[1 / 17] * 7]  # those without a label count as one
    scores = task.model(INPUTS.normalize(found.pictures)) + 0.5 * torch.tensor(shares).log()
    torch.testing.assert_close(
        task.loss(task.model, found), functional.cross_entropy(scores, found.labels), rtol=1e-5, atol=1e-6
    )


def test_with_full_balance_the_best_constant_scores_favour_no_class() -> None:
    # The loss of scores that do not depend on the picture is least where all of them are equal.
    labels = np.array([0] * 90 + [1] * 10)
    adjustment = log_prior(labels, 2)
    scores = torch.zeros(2, requires_grad=True)
    loss = functional.cross_entropy((scores + adjustment).expand(100, 2), torch.from_numpy(labels))
    (gradient,) = torch.autograd.grad(loss, scores)
    torch.testing.assert_close(gradient, torch.zeros(2), rtol=0, atol=1e-6)


def test_balanced_class_weights_are_those_of_scikit_learn() -> None:
    labels = np.array([0] * 7 + [1] * 2 + [2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(class_weights(labels, 3, 1.0), expected, rtol=1e-6)
    assert torch.equal(class_weights(labels, 3, 1e-9).round(), torch.ones(3))


def test_class_weights_weight_the_loss_of_each_file() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2] * 1 + [-1] * 5)
    task, found = classification(labels=labels, class_weight=0.5), batch()
    assert found.labels is not None
    each = functional.cross_entropy(
        task.model(INPUTS.normalize(found.pictures)), found.labels, reduction="none"
    )
    weights = class_weights(labels, 10, 0.5)[found.labels]
    torch.testing.assert_close(task.loss(task.model, found), (weights * each).mean(), rtol=1e-5, atol=1e-6)


def test_with_several_labels_a_true_label_of_a_rare_class_counts_more() -> None:
    labels = np.zeros((10, 2), dtype=np.bool_)
    labels[:1, 0], labels[:5, 1] = True, True
    np.testing.assert_allclose(class_weights(labels, 2, 1.0), [9.0, 1.0])


def test_several_labels_are_not_adjusted() -> None:
    labels = np.zeros((4, 10), dtype=np.bool_)
    assert classification(multi_label=True, labels=labels, class_balance=1.0).adjustment is None
