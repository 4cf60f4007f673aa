"""Tables about the data set, each computed by one function.

``pairs`` is always the table of pairs in the store (``Store.pairs``): one row per pair with
``split``, ``line``, ``group`` (its entity, or ""), ``label``, ``votes`` (a share in [0, 1]),
``voters`` (not in older logs), and both texts with their word pieces.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from analysis.votes import count_voters, vote_numbers
from measures.overlap import word_overlap, words

SPLITS = ("train", "validation", "test")
_CLEANED = ["before", "after", "by"]
_PRIOR_WORDS = 500.0  # weight of the prior: that of a class with so many words


def class_balance(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per split: ``pairs``, ``positives``, ``positive_share``, and the number of
    pairs with each number of votes (``votes_0_of_3`` ...; no such columns if they are unknown).
    """
    votes, voters = vote_numbers(pairs), count_voters(pairs)
    rows = []
    for split in SPLITS:
        chosen = pairs["split"] == split
        labels = pairs.loc[chosen, "label"]
        row = {
            "split": split,
            "pairs": len(labels),
            "positives": int(labels.sum()),
            "positive_share": labels.mean(),
        }
        for number in range(voters + 1) if voters else ():
            row[f"votes_{number}_of_{voters}"] = int((votes[chosen] == number).sum())
        rows.append(row)
    return pd.DataFrame(rows)


def vote_columns(balance: pd.DataFrame) -> list[str]:
    """Return the columns of ``class_balance`` that count votes, fewest votes first."""
    return [name for name in balance.columns if name.startswith("votes_")]


def lengths(pairs: pd.DataFrame, *, separate: bool = False) -> pd.DataFrame:
    """Return one row per pair: ``split``, ``label``, ``words`` and ``pieces`` of both texts
    together, and ``longest_words`` of the longer one; pieces include the special tokens, which
    are three in a log that does not count them.

    Args:
        pairs: ``Store.pairs``.
        separate: Whether each text is encoded alone; ``pieces`` are then those of the longer one.
    """
    counts = {side: word_counts(pairs[side]) for side in ("first", "second")}
    first, second = (word_counts(pairs[f"{side}_pieces"]) for side in ("first", "second"))
    if separate:
        pieces = np.maximum(first, second) + pairs.get("special_tokens_of_text", 2)
    else:
        pieces = first + second + pairs.get("special_tokens", 3)
    return pd.DataFrame(
        {
            "split": pairs["split"],
            "label": pairs["label"],
            "words": counts["first"] + counts["second"],
            "longest_words": pd.DataFrame(counts).max(axis=1),
            "pieces": pieces,
        }
    )


def pieces_of(separate: bool) -> str:
    """Return what the word pieces in ``lengths`` are counted of."""
    return "of the longer text" if separate else "per pair"


def word_counts(texts: pd.Series) -> pd.Series:
    """Return the number of words, separated by spaces, of each text."""
    return pd.Series([len(str(text).split()) for text in texts], index=texts.index)


def length_summary(pairs: pd.DataFrame, limit: int, *, separate: bool = False) -> pd.DataFrame:
    """Return a row each for words per text, words per pair and word pieces as in ``lengths``.

    The columns are mean, median, 95th percentile, maximum, and the share of pairs above the
    encoder's ``limit`` of word pieces (NaN for words).
    """
    found = lengths(pairs, separate=separate)
    both = word_counts(pd.concat([pairs["first"], pairs["second"]]))
    measured = {
        "words per text": both,
        "words per pair": found["words"],
        f"word pieces {pieces_of(separate)}": found["pieces"],
    }
    return pd.DataFrame(
        [
            {
                "measure": name,
                "mean": values.mean(),
                "median": values.median(),
                "percentile_95": values.quantile(0.95),
                "maximum": int(values.max()),
                "share_over_limit": (values > limit).mean() if "pieces" in name else np.nan,
            }
            for name, values in measured.items()
        ]
    )


def overlap(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per pair: ``split``, ``label``, ``votes`` (a number or NaN), ``voters``
    (0 if votes are unknown) and ``overlap``, the Jaccard index of the two sets of words.
    """
    return pd.DataFrame(
        {
            "split": pairs["split"],
            "label": pairs["label"],
            "votes": vote_numbers(pairs),
            "voters": count_voters(pairs),
            "overlap": word_overlap(pairs["first"], pairs["second"]),
        }
    )


def overlap_auc(found: pd.DataFrame) -> pd.DataFrame:
    """Return for each split of table ``overlap`` how well overlap alone ranks pairs (``auc``)."""
    rows = []
    for split in SPLITS:
        part = found[found["split"] == split]
        rows.append({"split": split, "auc": roc_auc_score(part["label"], part["overlap"])})
    return pd.DataFrame(rows)


def entity_sizes(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per entity, largest first: ``split``, ``group``, ``pairs``, ``share`` of the
    split's pairs and ``positive_share``; no rows if the data set has no groups.
    """
    named = pairs[pairs["group"] != ""]
    sizes = named.groupby(["split", "group"], as_index=False).agg(
        pairs=("label", "size"), positive_share=("label", "mean")
    )
    totals = pairs["split"].value_counts()
    sizes["share"] = sizes["pairs"] / sizes["split"].map(totals).astype(float)
    return sizes.sort_values(["pairs", "group"], ascending=[False, True], ignore_index=True)


def leaks(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return counts of duplicates and leaks, which would inflate scores: ``check``, ``count``.

    Exact and swapped duplicates are counted over all splits; shared entities and texts for
    each two splits. Every count should be 0.
    """
    first, second = pairs["first"], pairs["second"]
    seen = Counter(zip(first, second, strict=True))
    exact = sum(count - 1 for count in seen.values())
    swapped = sum((right, left) in seen for left, right in seen if left < right)
    rows = [("pairs that occur twice", exact), ("pairs that occur swapped", swapped)]
    for one, other in combinations(SPLITS, 2):
        parts = [pairs[pairs["split"] == split] for split in (one, other)]
        groups = [set(part["group"]) - {""} for part in parts]
        texts = [set(part["first"]) | set(part["second"]) for part in parts]
        rows.append((f"entities in both {one} and {other}", len(groups[0] & groups[1])))
        rows.append((f"texts in both {one} and {other}", len(texts[0] & texts[1])))
    return pd.DataFrame(rows, columns=["check", "count"])


def cleaning(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each cleaning step that changed something: ``step``, ``texts`` and
    their ``share``, and one example ``before`` and ``after``.
    """
    sides = [
        pairs[[f"raw_{side}", side, f"{side}_cleaned_by"]].set_axis(_CLEANED, axis=1)
        for side in ("first", "second")
    ]
    texts = pd.concat(sides, ignore_index=True)
    steps = texts["by"].str.split()
    rows = []
    for step in sorted({name for names in steps for name in names}):
        changed = texts[steps.map(lambda names, step=step: step in names)]
        example = changed.sort_values("before", key=lambda texts: texts.map(len)).iloc[0]
        rows.append(
            {
                "step": step,
                "texts": len(changed),
                "share": len(changed) / len(texts),
                "before": example["before"],
                "after": example["after"],
            }
        )
    return pd.DataFrame(rows, columns=["step", "texts", "share", "before", "after"])


def telling_words(pairs: pd.DataFrame, count: int = 12) -> pd.DataFrame:
    """Return the words that are most typical of each class of the train split.

    They are ranked by z-scores of log-odds ratios with an informative Dirichlet prior, which is
    the whole split (Monroe, Colaresi and Quinn, 2008).

    Args:
        pairs: Table of all pairs.
        count: Number of words for each class.

    Returns:
        ``word``, ``z`` (above 0: typical of paraphrases), and the number of pairs with the word
        in each class: ``paraphrase`` and ``other``; highest ``z`` first.
    """
    train = pairs[pairs["split"] == "train"]
    counts = {0: Counter[str](), 1: Counter[str]()}
    for first, second, label in zip(train["first"], train["second"], train["label"], strict=True):
        counts[label].update(set(words(first)) | set(words(second)))
    everything = counts[0] + counts[1]
    names = sorted(everything)
    prior = np.array([everything[name] for name in names], dtype=float)
    prior *= _PRIOR_WORDS / prior.sum()
    observed = np.array([[counts[label][name] for name in names] for label in (1, 0)], dtype=float)
    weight = observed + prior
    odds = np.log(weight) - np.log(weight.sum(axis=1, keepdims=True) - weight)
    z = (odds[0] - odds[1]) / np.sqrt((1 / weight).sum(axis=0))
    frame = pd.DataFrame(
        {"word": names, "z": z, "paraphrase": observed[0], "other": observed[1]}
    ).sort_values("z", ascending=False, ignore_index=True)
    ends = pd.concat([frame.head(count), frame.tail(count)], ignore_index=True)
    return ends if len(frame) > 2 * count else frame
