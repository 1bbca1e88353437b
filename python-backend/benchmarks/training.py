"""Training steps and evaluation at 58 M parameters, beside the rate at which this machine multiplies matrices.

    cd python-backend && ../.venv/bin/python -m benchmarks.training [--preset tinytitan] [--steps 8]

The machine's rate is that of its fastest of a few bf16 products (fp32 where it has no bf16), in this run. The FLOPs of
a step are those of its matrix products as torch counts them: forward, backward, the teacher's forward where a
specialist rehearses, and Muon's iterations. `share` is the time of those FLOPs at the machine's rate over the step's.
Beside it the plain way: the same foundation step in fp32 with `torch.optim.Muon`, logits for every position.
Evaluated are 32 problems of each data set, at full depth.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median

import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from agent_forge.cognate.bench import TrainingBench
from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.model import TinyTitanModel
from agent_forge.cognate.plan import stages
from agent_forge.cognate.presets import architecture, resolve
from agent_forge.cognate.training import Trainer, multiplies_bf16
from agent_forge.contract.architecture import Preset
from agent_forge.contract.cognate import CognateConfig

from ._as_worker import as_worker

PRODUCTS = ((1024, 512, 2048), (2048, 2048, 2048), (4096, 1024, 4096))


@dataclass(frozen=True)
class Row:
    work: str
    seconds: float
    """Median."""
    flops: float
    tokens: int

    def shown(self, rate: float) -> dict[str, float | str]:
        return {
            **asdict(self),
            "tokens_per_second": self.tokens / self.seconds,
            "share": self.flops / self.seconds / rate,
        }


def matmul_rate() -> float:
    """FLOP a second."""
    dtype = torch.bfloat16 if multiplies_bf16(torch.device("cpu")) else torch.float32
    rates = []
    for rows, inner, columns in PRODUCTS:
        a, b = torch.ones(rows, inner, dtype=dtype), torch.ones(inner, columns, dtype=dtype)
        times = [timed(lambda a=a, b=b: a @ b) for _ in range(8)]
        rates.append(2 * rows * inner * columns / median(times[1:]))
    return max(rates)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, work: Callable[[], int], repeats: int) -> Row:
    """work: returns the tokens that it took."""
    work()
    with FlopCounterMode(display=False) as counter:
        work()
    counted = counter.get_total_flops()
    tokens: list[int] = []
    times = [timed(lambda: tokens.append(work())) for _ in range(repeats)]
    return Row(name, median(times), counted, round(median(tokens)))


def plain(trainer: Trainer) -> Callable[[], int]:
    """A step of the foundation as it is written down first."""
    model = TinyTitanModel(trainer.model.arch).bind(trainer.tensors()).requires_grad_()
    named = dict(model.named_parameters())
    matrices = [p for n, p in named.items() if n.startswith("transformer_blocks.") and p.ndim == 2]
    others = [p for p in named.values() if not any(p is matrix for matrix in matrices)]
    optimizers = [torch.optim.Muon(matrices, lr=0.02), torch.optim.AdamW(others, lr=3e-3)]
    steps = iter(range(1 << 30))

    def step() -> int:
        batch = trainer.mixture.lesson(trainer.seed, trainer.stage, next(steps)).batch
        everywhere = torch.arange(len(batch.tokens))
        output = model(batch.tokens, batch.layout, everywhere)
        loss = F.cross_entropy(output.logits[batch.labels], batch.targets)
        (loss + trainer.ponder_cost * output.ponder.mean()).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return int(batch.layout.real.count_nonzero())

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Preset, default=Preset.tinytitan)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    rate = matmul_rate()
    config = resolve(CognateConfig(preset=options.preset, device="cpu"))
    arch = architecture(config)
    bench = TrainingBench(config, arch, ())
    tensors = draw_all(arch, stages(config)[0].seed)
    rows: list[Row] = []

    def add(row: Row) -> None:
        rows.append(row)
        sys.stderr.write(json.dumps(row.shown(rate)) + "\n")

    for stage in stages(config):
        trainer = bench.trainer(stage, tensors)
        add(measure(f"step: {stage.name}", lambda trainer=trainer: trainer.step().tokens, options.steps))
        if stage.specialization is None:
            add(measure("step: foundation, the plain way", plain(trainer), max(2, options.steps // 4)))
    problems = ProblemSet(tuple(choice.name for choice in config.datasets), config.difficulty, 32, config.tokenizer)
    evaluator = Evaluator(arch, problems, problems)
    tensors["act_halting.bias"].fill_(-8.0)
    add(measure("evaluation", lambda: evaluator.evaluate(tensors, "selection").tokens, options.steps))
    foundation, slow = rows[0], rows[1]
    result = {
        "preset": options.preset,
        "threads": torch.get_num_threads(),
        "matmul_gflops": rate / 1e9,
        "rows": [row.shown(rate) for row in rows],
        "times_faster_than_plain": slow.seconds / foundation.seconds,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    as_worker("training")
    main()
