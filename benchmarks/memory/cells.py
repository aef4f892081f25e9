"""Which model runs with which batch: the cells of the table."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.estimate.model import Logits, Shape


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the table.

    Attributes:
        model: A name of `benchmarks.memory.shapes.SHAPES`.
        dtype: `float32`, `float16` or `bfloat16`.
        batch: Rows, or images.
        length: Tokens a row; of no meaning for images.
        mode: `body`; `engine`: packed, as orch's embeddings engine runs it;
            `prefill`: with a cache, logits of the last token; `logits`: of all.
    """

    model: str
    dtype: str
    batch: int
    length: int
    mode: str

    @property
    def shape(self) -> Shape:
        """What the estimate is asked for."""
        size = self.batch, self.length
        match self.mode:
            case "engine":
                return Shape(*size, packed=True)
            case "prefill":
                return Shape(*size, context=self.length, logits=Logits.LAST)
            case "logits":
                return Shape(*size, logits=Logits.ALL)
            case _:
                return Shape(*size)

    @property
    def name(self) -> str:
        """Model, dtype, batch and mode in a line."""
        return f"{self.model} {self.dtype} {self.batch}x{self.length} {self.mode}"


def _cells(model: str, dtypes: str, mode: str, *sizes: tuple[int, int]) -> list[Cell]:
    return [
        Cell(model, dtype, batch, length, mode)
        for dtype in dtypes.split()
        for batch, length in sizes
    ]


_ALL = "float32 float16 bfloat16"
_HALF = "float16 bfloat16"
GPU_CELLS: list[Cell] = [
    *_cells("minilm", "float16 float32", "body", (512, 128), (64, 512)),
    *_cells("minilm", "float16", "engine", (512, 128)),
    *_cells("bert-base", _ALL, "body", (32, 128), (512, 128), (128, 512)),
    *_cells("bert-base", _HALF, "engine", (512, 128), (128, 512)),
    *_cells("bert-large", "float16 float32", "body", (256, 128), (64, 512)),
    *_cells("xlm-roberta", "float16", "body", (256, 256)),
    *_cells("xlm-roberta", "float16", "engine", (256, 256)),
    *_cells("distilbert", "float16", "body", (512, 128)),
    *_cells("albert", "float16", "body", (256, 128)),
    *_cells("mpnet", "float16", "body", (64, 384)),
    *_cells("modernbert", "bfloat16 float32", "body", (128, 512), (4, 4096)),
    *_cells("modernbert", "bfloat16", "engine", (128, 512)),
    *_cells("gpt2", _HALF, "prefill", (16, 512)),
    *_cells("gpt2", "float32", "logits", (8, 512)),
    *_cells("pythia", _HALF, "prefill", (16, 1024)),
    *_cells("llama-mha", "float32 bfloat16", "prefill", (4, 512), (8, 2048)),
    *_cells("llama-1b", _HALF, "prefill", (1, 8192), (16, 1024)),
    *_cells("llama-1b", "bfloat16", "logits", (4, 1024)),
    *_cells("llama-1b", "float32", "prefill", (2, 1024)),
    *_cells("qwen3", _HALF, "prefill", (8, 2048)),
    *_cells("qwen3", "bfloat16", "logits", (2, 2048)),
    *_cells("qwen3", "bfloat16", "engine", (64, 512)),
    *_cells("mistral", "bfloat16", "prefill", (8, 1024), (2, 4096)),
    *_cells("gemma3", "bfloat16", "prefill", (8, 512), (4, 2048)),
    *_cells("phi3", _HALF, "prefill", (4, 2048)),
    *_cells("mixtral", "bfloat16", "prefill", (4, 1024), (16, 1024)),
    *_cells("qwen3-moe", "bfloat16", "prefill", (8, 1024)),
    *_cells("vit", "float16 float32", "body", (64, 1), (512, 1)),
    *_cells("clip", "float16 float32", "body", (128, 1)),
    *_cells("siglip", "bfloat16", "body", (64, 1)),
    *_cells("dinov2", "float16", "body", (16, 1)),
]
# Smaller models, the same families: what is checked is which tensors are alive.
CPU_CELLS: list[Cell] = [
    *_cells("minilm", "float32 bfloat16", "body", (8, 64), (2, 256)),
    *_cells("minilm", "float32", "engine", (8, 64)),
    *_cells("bert-base", "float32 bfloat16", "body", (16, 32), (4, 128), (1, 512)),
    *_cells("bert-base", "float32 bfloat16", "engine", (4, 128)),
    *_cells("bert-large", "float32", "body", (2, 128)),
    *_cells("xlm-roberta", "float32", "body", (4, 128)),
    *_cells("distilbert", "float32 bfloat16", "body", (4, 128)),
    *_cells("albert", "float32 bfloat16", "body", (4, 128)),
    *_cells("mpnet", "float32 bfloat16", "body", (4, 128)),
    *_cells("modernbert", "float32 bfloat16", "body", (4, 96), (2, 256), (1, 512)),
    *_cells("gpt2", "float32 bfloat16", "prefill", (4, 128), (1, 512)),
    *_cells("gpt2", "float32", "logits", (4, 128)),
    *_cells("pythia", "float32 bfloat16", "prefill", (4, 128)),
    *_cells("llama-mha", "float32 bfloat16", "prefill", (4, 128), (1, 512)),
    *_cells("llama-1b", "float32 bfloat16", "prefill", (4, 128), (1, 512)),
    *_cells("llama-1b", "float32 bfloat16", "logits", (4, 128)),
    *_cells("qwen3", "float32 bfloat16", "prefill", (4, 128), (1, 512)),
    *_cells("qwen3", "float32", "logits", (2, 128)),
    *_cells("mistral", "float32 bfloat16", "prefill", (2, 256), (1, 1200)),
    *_cells("gemma3", "float32 bfloat16", "prefill", (2, 256), (1, 600)),
    *_cells("phi3", "float32 bfloat16", "prefill", (4, 128)),
    *_cells("mixtral", "float32 bfloat16", "prefill", (4, 128)),
    *_cells("qwen3-moe", "float32 bfloat16", "prefill", (4, 128)),
    *_cells("vit", "float32 bfloat16", "body", (2, 1), (16, 1)),
    *_cells("clip", "float32 bfloat16", "body", (4, 1)),
    *_cells("siglip", "float32 bfloat16", "body", (4, 1)),
    *_cells("dinov2", "float32 bfloat16", "body", (2, 1)),
]
SMOKE_CELLS: list[Cell] = [
    *_cells("minilm", "float32 bfloat16", "body", (2, 32)),
    *_cells("minilm", "float32", "engine", (2, 32)),
    *_cells("llama-1b", "float32", "prefill", (2, 32)),
    *_cells("vit", "float32", "body", (1, 1)),
]
