"""One product for query, key and value gives what three layers give."""

from __future__ import annotations

import copy
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from orchestrator.engines.embeddings.forward import Padded, choose_forward
from orchestrator.engines.embeddings.fused import Product, fuse
from orchestrator.engines.embeddings.packing import blockwise, pack
from tests.engines.small_models import write_model
from tests.engines.test_packing import CPU, batch_of, load


@pytest.mark.parametrize("kind", ["Bert", "Roberta", "DistilBert", "Qwen2"])
@torch.inference_mode()
def test_every_family_gives_the_same(kind: str, tmp_path: Path) -> None:
    encoder = load(write_model(kind, tmp_path))
    batch = pack(batch_of([9, 3, 14, 1]), CPU)
    wanted = Padded(encoder)(batch)
    before = encoder.weights_bytes
    assert fuse(encoder.body) == encoder.body.config.num_hidden_layers
    assert encoder.weights_bytes == before
    assert torch.allclose(Padded(encoder)(batch), wanted, atol=1e-5)
    packed = choose_forward(encoder, CPU, 512, blockwise)
    assert packed.name == "packed"
    assert torch.allclose(packed(batch), wanted, atol=1e-4)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(4, n) for n in (6, 2, 2))

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        parts = (self.query(x), self.key(memory), self.value(memory))
        return torch.cat(parts, dim=-1)


def test_attention_to_other_states_is_right_too() -> None:
    module = Attention().requires_grad_(requires_grad=False)
    x, memory = torch.randn(3, 4), torch.randn(3, 4)
    wanted = module(x, memory), module(x, x)
    assert fuse(module) == 1
    assert torch.allclose(module(x, memory), wanted[0], atol=1e-6)
    assert torch.allclose(module(x, x), wanted[1], atol=1e-6)


def test_it_keeps_no_product_after_its_use() -> None:
    module = Attention().requires_grad_(requires_grad=False)
    fuse(module)
    module(torch.randn(2, 4), torch.randn(2, 4))
    products = [m for m in module.modules() if isinstance(m, Product)]
    assert [product._last for product in products] == [None]


def test_layers_that_are_not_plain_stay() -> None:
    class Quantised(nn.Linear):
        pass

    module = Attention()
    module.key = Quantised(4, 2)
    assert fuse(module) == 0
    assert type(module.query) is nn.Linear


def test_two_threads_at_once_get_each_their_own() -> None:
    plain = Attention().requires_grad_(requires_grad=False)
    fused = copy.deepcopy(plain)
    fuse(fused)
    wrong: list[int] = []

    def work(seed: int) -> None:
        inputs = torch.randn(200, 5, 4, generator=torch.Generator().manual_seed(seed))
        same = (torch.allclose(fused(x, x), plain(x, x), atol=1e-6) for x in inputs)
        if not all(same):
            wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
