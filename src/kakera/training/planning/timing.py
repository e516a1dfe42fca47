"""Measurement of the time of a training step on this machine; restores the weights afterwards."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from lightning_fabric import Fabric

from kakera.data.order import BatchSlice
from kakera.option_fields import or_none
from kakera.training.loop import Task
from kakera.training.optimizer import adamw_or_muon
from kakera.training.plan import TrainingPlan

ENOUGH = 2.5  # seconds of steps to measure, without the first one
MOST = 12  # most steps to measure


def measure_step(task: Task[Any], plan: TrainingPlan, fabric: Fabric) -> float:
    """Return the mean seconds of a training step: reading, forward, backward, optimiser.

    If a step has many pieces, this measures as many pieces as fit into `ENOUGH` seconds. Afterwards the
    weights and buffers of `task.model` are restored, on the CPU.
    """
    model = task.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pieces = or_none(plan.options.grad_accum) or 1
    model.to(fabric.device).train()
    optimizer = adamw_or_muon(model, plan, 0.0, fabric.device)
    try:
        reading, learning, count = _pieces(task, plan, fabric, optimizer, pieces)
    finally:
        model.zero_grad(set_to_none=True)
        model.cpu()
        model.load_state_dict(before)
    readers = max(plan.workers, 1)
    together = max(reading / readers, learning) if plan.workers else reading + learning
    return together / count * pieces


def _pieces(
    task: Task[Any], plan: TrainingPlan, fabric: Fabric, optimizer: torch.optim.Optimizer, pieces: int
) -> tuple[float, float, int]:
    """Return the seconds of reading and of learning, and the number of pieces; leaves the first one out."""
    alone = replace(plan, workers=0)
    steps = alone.steps_from(0, BatchSlice(0, pieces, pieces))
    reading = learning = 0.0
    count, first = 0, True
    began = time.perf_counter()
    batches = (piece for step in islice(steps, MOST) for piece in step)
    while True:
        start = time.perf_counter()
        piece = next(batches, None)
        if piece is None:
            break
        read = time.perf_counter()
        with fabric.autocast():
            loss = task.loss(task.model, piece.to(fabric.device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()
        end = time.perf_counter()
        if first and plan.steps * pieces > 1:
            first, began = False, time.perf_counter()
            continue
        reading, learning, count = reading + read - start, learning + end - read, count + 1
        if end - began > ENOUGH:
            break
    return reading, learning, max(count, 1)
