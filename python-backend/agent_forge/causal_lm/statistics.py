"""What is found out about tensors by running a network over problems: gradients, Fisher information, Gram matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..contract.architecture import CausalLM
from ..contract.errors import NotMeasurable
from ..contract.fault import Fault
from .errors import NotRunnable
from .network import Network, open_network
from .problems import Choice, Encoded, Passage

Measure = Callable[[Network, Mapping[str, Tensor], Sequence[Encoded]], dict[str, Tensor]]


def calibrated(
    measure: Measure, architecture: CausalLM, tensors: Mapping[str, Tensor], problems: Sequence[Encoded]
) -> dict[str, Tensor]:
    """On one CPU thread in float32, so that the bytes depend on nothing else."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure(open_network(architecture, tensors, torch.float32), tensors, problems)
    finally:
        torch.set_num_threads(threads)


def descend(
    network: Network, tensors: Mapping[str, Tensor], parts: Sequence[Sequence[Encoded]], device: torch.device
) -> dict[str, Tensor]:
    """The gradient of the mean loss, every dataset counting the same. Raises NotMeasurable, NotRunnable."""
    own = _parameters(network, tensors)
    network.module.requires_grad_(True)
    for part in parts:
        for problem in part:
            loss = _loss(network, problem, device) / (len(part) * len(parts))
            if not bool(loss.isfinite()):
                message = "on training problems the loss is not finite"
                raise NotMeasurable(Fault(kind="loss_not_finite", message=message))
            torch.autograd.backward(loss)
    found = {name: torch.zeros(tensor.shape) for name, tensor in tensors.items()}
    found |= {name: one.grad.cpu() for name, one in own.items() if one.grad is not None}
    return found


def diagonal(network: Network, tensors: Mapping[str, Tensor], problems: Sequence[Encoded]) -> dict[str, Tensor]:
    """The mean over problems of the squared gradient of a problem's mean loss. Raises NotRunnable."""
    own = _parameters(network, tensors)
    network.module.requires_grad_(True)
    total: dict[str, Tensor] = {}

    def square(name: str, parameter: Tensor) -> None:
        """As soon as it is there: one gradient at a time is kept, and the first becomes the sum."""
        gradient, parameter.grad = parameter.grad, None
        assert gradient is not None  # noqa: S101 - called when it is there
        if name in total:
            total[name].addcmul_(gradient, gradient)
        else:
            total[name] = gradient.square_()

    for name, parameter in own.items():
        parameter.register_post_accumulate_grad_hook(partial(square, name))  # type: ignore[no-untyped-call]
    for problem in problems:
        torch.autograd.backward(_loss(network, problem, torch.device("cpu")))
    return {
        name: total[name].div_(len(problems)) if name in total else torch.zeros(tensor.shape)
        for name, tensor in tensors.items()
    }


def gram_matrices(network: Network, tensors: Mapping[str, Tensor], problems: Sequence[Encoded]) -> dict[str, Tensor]:
    """By the matrix's name, float64 (in, in); without the head, and what other layers than linear ones read."""
    own = _parameters(network, tensors)
    head = network.module.get_output_embeddings()
    reading = _Reading({name: one for name, one in own.items() if head is None or one is not head.weight})
    with torch.inference_mode(), reading:
        for problem in problems:
            tokens, _ = _line(problem)
            row = torch.tensor([tokens])
            network.module(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False)
    return reading.found


class _Reading(TorchFunctionMode):
    """Sees the inputs of every matrix that `F.linear` multiplies with."""

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._names = {one.data_ptr(): name for name, one in parameters.items() if one.dim() == 2}
        self.found: dict[str, Tensor] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.linear:
            inputs, weight = args[:2]
            name = self._names.get(weight.data_ptr())
            if name is not None:
                wide = inputs.flatten(0, -2).double()
                self.found.setdefault(name, wide.new_zeros(wide.shape[1], wide.shape[1])).addmm_(wide.T, wide)
        return func(*args, **(kwargs or {}))


def _parameters(network: Network, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensor's name → the parameter that it is. Raises NotRunnable where transformers has made others of them."""
    own = dict(network.module.named_parameters())
    found = {name: own[parameter] for parameter, name in network.names.items()}
    apart = sorted(own.keys() - network.names.keys())
    if apart:
        raise NotRunnable(
            f"transformers joins tensors of this family ({apart[0]} …): nothing is told of each by itself"
        )
    return found


def _line(problem: Encoded) -> tuple[list[int], int]:
    """All tokens of a problem with the right answer behind it, and where that begins."""
    if isinstance(problem, Passage):
        return list(problem.tokens), 1
    answer = problem.choices[problem.right] if isinstance(problem, Choice) else problem.answer
    return [*problem.prompt, *answer], len(problem.prompt)


def _loss(network: Network, problem: Encoded, device: torch.device) -> Tensor:
    """Mean cross-entropy of the answer's tokens."""
    tokens, begin = _line(problem)
    row = torch.tensor([tokens], device=device)
    output = network.module(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False)
    return F.cross_entropy(output.logits[0, begin - 1 : -1].float(), row[0, begin:])
