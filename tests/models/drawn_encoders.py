"""Small encoders of each family with random weights and trained tokenizers, each in a folder."""

from pathlib import Path
from typing import Any

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

LAYERS = 3
TEXT = [
    "a formal language for describing the structure of data",
    "naïve users ask: what is a café?",
    "the structure of a language says how data are organised",
    "(data) are facts, numbers and letters; e.g. 17 or x2",
    "learning a language from data without labels",
]
# vocabulary, width, inner width, positions and heads differ, so that a swapped size cannot pass
SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 20,
    "max_position_embeddings": 40,
}
DISTILBERT_SIZES = {
    "dim": 24, "n_layers": LAYERS, "n_heads": 4, "hidden_dim": 20, "max_position_embeddings": 40
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "distilbert": DISTILBERT_SIZES,
    "roberta": SIZES | {"pad_token_id": 1, "type_vocab_size": 1},
    "electra": SIZES | {"embedding_size": 16},
    "mpnet": SIZES | {"relative_attention_num_buckets": 32, "pad_token_id": 1},
    "deberta-v2": SIZES
    | {
        "relative_attention": True,
        "position_buckets": 6,
        "max_relative_positions": -1,
        "pos_att_type": ["p2c", "c2p"],
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "position_biased_input": False,
        "conv_kernel_size": 3,
        "type_vocab_size": 2,
    },
    # the second layer is local: a token sees 2 tokens on each side
    "modernbert": SIZES
    | {"local_attention": 4, "global_attn_every_n_layers": 2, "pad_token_id": 0},
}  # fmt: skip

_MARKS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
_TEMPLATE = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
    special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
)  # fmt: skip


def byte_level(*, roberta: bool = True) -> Tokenizer:
    """Return a tokenizer of bytes with the special tokens of RoBERTa, or of ModernBERT."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=310,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if roberta else _MARKS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    tokenizer.post_processor = _TEMPLATE
    if roberta:
        tokenizer.post_processor = processors.RobertaProcessing(
            ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
        )
    return tokenizer


def sentence_piece() -> Tokenizer:
    """Return a tokenizer of unigrams with visible spaces, as DeBERTa-v3 has it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=70, special_tokens=_MARKS, unk_token="[UNK]", show_progress=False
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    tokenizer.post_processor = _TEMPLATE
    return tokenizer


def word_pieces(*special: str) -> Tokenizer:
    """Return a tokenizer of lower-case word pieces, as BERT has it.

    Args:
        special: Names of the tokens for padding, an unknown piece, the start and the end.
    """
    padding, unknown, start, end = special or ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = sorted({padding, unknown, start, end}, key=(start, padding, end, unknown).index)
    trainer = trainers.WordPieceTrainer(
        vocab_size=90, special_tokens=[*names, "[MASK]"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    pair = (start, tokenizer.token_to_id(start)), (end, tokenizer.token_to_id(end))
    two = f"{end} {end}" if start == "<s>" else end
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=f"{start} $A {two} $B {end}", special_tokens=list(pair)
    )
    return tokenizer


TOKENIZERS = {
    "bert": word_pieces,
    "distilbert": word_pieces,
    "electra": word_pieces,
    "mpnet": lambda: word_pieces("<pad>", "[UNK]", "<s>", "</s>"),
    "roberta": byte_level,
    "deberta-v2": sentence_piece,
    "modernbert": lambda: byte_level(roberta=False),
}


def draw_model(family: str, vocabulary: int, **changes: object) -> Any:  # noqa: ANN401 - a model of transformers
    """Return a model of the family with random weights, all of them other than 0 and 1."""
    import torch
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(0)
    options = CONFIGS[family] | {"vocab_size": vocabulary} | changes
    model = AutoModel.from_config(AutoConfig.for_model(family, **options))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)
    return model.eval()


def draw_encoder(folder: Path, family: str, **changes: object) -> Path:
    """Write an encoder of the family with its tokenizer into ``folder`` and return it."""
    tokenizer = TOKENIZERS[family]()
    draw_model(family, tokenizer.get_vocab_size() + 3, **changes).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
