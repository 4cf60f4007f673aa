"""The families of encoders that can be cut and trained, and what sets them apart; no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

_BERT_SIZES = {
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "inner_width": "intermediate_size",
    "max_tokens": "max_position_embeddings",
    "vocabulary": "vocab_size",
}
_DISTILBERT_SIZES = _BERT_SIZES | {
    "layers": "n_layers",
    "width": "dim",
    "inner_width": "hidden_dim",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What sets a family of encoders apart; the defaults are those of BERT.

    Attributes:
        layers: Path of the list of layers in the model.
        sizes: Key in ``config.json`` of each size in ``EncoderInfo``.
        call: How a layer is called, and what all layers need: a key of ``layer_calls.CALLS``.
        shared: Path of the module that computes what all layers need, or None.
        joined: Path of a module that comes once, before or after the layers; the owner that it
            becomes a part of (``embeddings``, or the ``lowest`` or ``highest`` layer); its name
            there. None if there is no such module.
        token_types: Whether the embeddings can take the number of the definition.
        masked_embeddings: Whether the embeddings take the mask of the tokens.
        pooler: Whether the model has an option to leave out its pooling layer.
        sdpa: Whether attention has the implementation ``sdpa``.
        positions: Whether the embeddings add one for each position, which they can be given.
        offset_by_padding: Whether the first position is the one after the padding token's id.
        convolution: Key in ``config.json`` of the width, in tokens, of a convolution that reads
            across the texts of a pair; None if there is no such part.
        matrices: Number of matrices of width times inner width in a layer.
        vocabulary_file: Whether ``vocab.txt`` alone says how to split text.
    """

    layers: str = "encoder.layer"
    sizes: dict[str, str] = field(default_factory=lambda: _BERT_SIZES)
    call: str = "masked"
    shared: str | None = None
    joined: tuple[str, str, str] | None = None
    token_types: bool = False
    masked_embeddings: bool = False
    pooler: bool = False
    sdpa: bool = True
    positions: bool = True
    offset_by_padding: bool = False
    convolution: str | None = None
    matrices: int = 2
    vocabulary_file: bool = False


# By the key model_type of config.json.
FAMILIES = {
    "bert": Family(token_types=True, pooler=True, vocabulary_file=True),
    "deberta-v2": Family(  # and DeBERTa-v3, which differs by its training alone
        call="disentangled", shared="encoder", joined=("encoder.conv", "lowest", "convolution"),
        token_types=True, masked_embeddings=True, sdpa=False, convolution="conv_kernel_size",
    ),
    "distilbert": Family(
        layers="transformer.layer", sizes=_DISTILBERT_SIZES, vocabulary_file=True
    ),
    "electra": Family(
        joined=("embeddings_project", "embeddings", "projection"), token_types=True,
        vocabulary_file=True,
    ),
    "modernbert": Family(
        layers="layers", call="rotary", shared="rotary_emb", positions=False,
        joined=("final_norm", "highest", "output_norm"), matrices=3,
    ),
    "mpnet": Family(
        call="position_biased", shared="encoder", pooler=True, sdpa=False, offset_by_padding=True,
        vocabulary_file=True,
    ),
    "roberta": Family(pooler=True, offset_by_padding=True),
}  # fmt: skip
