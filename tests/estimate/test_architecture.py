from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.architecture import read_architecture
from orchestrator.estimate.families import FAMILIES
from orchestrator.estimate.forward import forward
from orchestrator.estimate.passes import Pass
from tests.estimate.configs import BERT, LLAMA, LLAMA_8B, VIT

WINDOWS = [
    # config, window, which layers are windowed
    (LLAMA, 0, "--"),
    ({**LLAMA, "model_type": "mistral"}, 0, "--"),
    ({**LLAMA, "model_type": "mistral", "sliding_window": 16}, 16, "ww"),
    ({**LLAMA, "model_type": "qwen2", "sliding_window": 16}, 0, "--"),
    (
        {**LLAMA, "model_type": "qwen2", "sliding_window": 16}
        | {"use_sliding_window": True, "max_window_layers": 1},
        16,
        "-w",
    ),
    (
        {**LLAMA, "model_type": "gemma3_text", "sliding_window": 16}
        | {"num_hidden_layers": 7},
        16,
        "wwwww-w",
    ),
    (
        {**LLAMA, "model_type": "gemma3_text", "sliding_window": 16}
        | {"layer_types": ["full_attention", "sliding_attention"]},
        16,
        "-w",
    ),
    ({**BERT, "model_type": "modernbert", "num_hidden_layers": 4}, 64, "-ww-"),
]


@pytest.mark.parametrize(("config", "window", "layers"), WINDOWS)
def test_which_layers_are_windowed(
    config: dict[str, Any], window: int, layers: str
) -> None:
    arch = read_architecture(config)
    assert arch.window == window
    assert "".join("w" if w else "-" for w in arch.windowed) == layers


def test_the_numbers_of_llama() -> None:
    arch = read_architecture(LLAMA_8B)
    assert (arch.layers, arch.heads, arch.kv_heads, arch.head_dim) == (32, 32, 8, 128)
    assert arch.kv_numbers == 2 * 8 * 128
    assert not arch.tied


def test_images_are_cut_into_patches() -> None:
    arch = read_architecture(VIT)
    assert (arch.patches, arch.prefix, arch.pixels) == (16, 1, 3 * 32 * 32)
    assert read_architecture({**VIT, "model_type": "siglip_vision_model"}).prefix == 0


UNKNOWN = [
    ({}, "'not named' is not known"),
    ({"model_type": "mamba"}, "'mamba' is not known"),
    ({"model_type": "llava", "text_config": LLAMA}, "'llava' is not known"),
    ({**LLAMA, "hidden_size": None}, "no hidden_size"),
    ({**LLAMA, "hidden_size": True}, "no hidden_size"),
    ({**LLAMA, "num_attention_heads": 0}, "no num_attention_heads"),
    ({**LLAMA, "num_hidden_layers": 10**9}, "no num_hidden_layers"),
    ({**VIT, "image_size": [32, 32]}, "no image_size"),
]


@pytest.mark.parametrize(("config", "why"), UNKNOWN)
def test_what_is_not_known_is_asked_about_never_zero(
    config: dict[str, Any], why: str
) -> None:
    with pytest.raises(OrchError) as caught:
        read_architecture(config, "acme/strange")
    fault = caught.value.fault
    assert fault.code is Code.BAD_VALUE
    assert fault.message.startswith("the memory that acme/strange needs")
    assert why in fault.message
    assert "resources.gpu_memory" in fault.fix


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 300),
    st.just(10**15),
    st.floats(allow_nan=True),
    st.text(max_size=3),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.just("partial_rotary_factor"), st.floats(), max_size=1),
)
KEYS = st.sampled_from(
    [
        *BERT,
        *VIT,
        *("num_key_value_heads", "head_dim", "sliding_window", "layer_types"),
        *("sliding_window_pattern", "global_attn_every_n_layers", "rope_parameters"),
        *("max_window_layers", "use_sliding_window", "partial_rotary_factor"),
        *("num_experts", "num_experts_per_tok", "hidden_act", "mlp_ratio"),
    ]
)


@given(st.sampled_from(sorted(FAMILIES)), st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_config_is_reckoned_with_or_refused(
    kind: str, strange: dict[str, Any]
) -> None:
    config = {**BERT, **VIT, **strange, "model_type": kind}
    try:
        arch = read_architecture(config)
    except OrchError:
        return
    one = Pass(arch, 1, 4, 2, cuda=True)
    forward(one)
    assert one.tape.peak_bytes() > 0
