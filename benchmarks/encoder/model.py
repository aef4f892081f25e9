"""The model that every set-up runs: BERT from a config, with random weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, CLS, SEP, FIRST_WORD = 0, 2, 3, len(SPECIAL)
LONGEST_TOKENS = 512
LETTERS_PER_WORD = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of an encoder, named as in its config."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int


BERT_BASE = Shape(768, 12, 12, 3072, 30522)
TINY = Shape(64, 2, 2, 128, 1000)


class Encoder(torch.nn.Module):
    """Token ids in, mean-pooled vectors of length one out."""

    def __init__(self, bert: torch.nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(
        self, ids: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Vectors of a batch.

        Args:
            ids: `[rows, tokens]`.
            lengths: Tokens of each row; `None` if nothing is padded, which spares
                the attention mask and lets the flash kernel run.

        Returns:
            `[rows, hidden]`, in the dtype of the model.
        """
        if lengths is None:
            hidden = self.bert(input_ids=ids).last_hidden_state
            pooled = hidden.sum(1, dtype=torch.float32)
        else:
            mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
            hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
            pooled = (hidden * mask[..., None]).sum(1, dtype=torch.float32)
        return torch.nn.functional.normalize(pooled, dim=-1).to(hidden.dtype)


def write_model_folder(folder: Path, shape: Shape, seed: int) -> None:
    """Writes a model that `from_pretrained` and orch load: weights, tokenizer."""
    torch.manual_seed(seed)
    config = BertConfig(**asdict(shape), max_position_embeddings=LONGEST_TOKENS)
    bert = BertModel(config, add_pooling_layer=False)
    bert.save_pretrained(folder)
    tokenizer(shape.vocab_size).save(str(folder / "tokenizer.json"))
    for name, content in _SIDE_FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(
        json.dumps(
            {
                "word_embedding_dimension": shape.hidden_size,
                "pooling_mode_cls_token": False,
                "pooling_mode_mean_tokens": True,
            }
        )
    )


def load_encoder(folder: Path, device: str) -> Encoder:
    """The model of a folder on a GPU in half precision, or on the CPU in full."""
    dtype = torch.float32 if device == "cpu" else torch.float16
    bert = BertModel.from_pretrained(
        folder, dtype=dtype, attn_implementation="sdpa", add_pooling_layer=False
    )
    return Encoder(bert).to(device).eval()


def tokenizer(vocab_size: int) -> Tokenizer:
    """BERT's pipeline over a made-up vocabulary: k words are exactly k + 2 tokens."""
    names = [*SPECIAL, *(word(i) for i in range(vocab_size - FIRST_WORD))]
    vocabulary = {name: i for i, name in enumerate(names)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    made.add_special_tokens(list(SPECIAL))
    return made


def word(number: int) -> str:
    """The vocabulary's n-th word: four letters, in order."""
    letters = []
    for _ in range(LETTERS_PER_WORD):
        number, letter = divmod(number, 26)
        letters.append(chr(ord("a") + letter))
    return "".join(reversed(letters))


_SIDE_FILES: dict[str, object] = {
    "tokenizer_config.json": {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": LONGEST_TOKENS,
        "unk_token": "[UNK]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    "modules.json": [
        {
            "idx": i,
            "name": str(i),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for i, (path, kind) in enumerate(
            [
                ("", "Transformer"),
                ("1_Pooling", "Pooling"),
                ("2_Normalize", "Normalize"),
            ]
        )
    ],
    "sentence_bert_config.json": {
        "max_seq_length": LONGEST_TOKENS,
        "do_lower_case": False,
    },
    "1_Pooling/config.json": {},
}
