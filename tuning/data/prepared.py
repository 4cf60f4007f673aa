"""The preparation of an experiment: data and encoder found, verified, tokenized; no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from models.encoder_files import (
    CONFIG,
    EncoderInfo,
    frozen_layers,
    read_encoder_info,
    read_json,
)
from models.families import FAMILIES
from models.tokens import Encoding
from tuning.config.experiment import ConfigError, Experiment, TrialConfig
from tuning.config.input_variants import input_variants
from tuning.data.division import fold_components
from tuning.data.pairs import PairData, read_pairs
from tuning.data.sources import DataLocations, Source, find_data, find_encoder
from tuning.data.split_checks import describe_balance, describe_shared
from tuning.data.tokenization import TokenData, load_or_tokenise


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """An experiment that is ready to run.

    Args:
        experiment: Experiment as loaded.
        trials: Trials of the grid, fitted to the data; for a search one of each input variant.
        data_source: Name and folder of the data set.
        encoder_source: Name and folder of the encoder.
        encoder: Architecture and sizes of the encoder.
        pairs: Verified and cleaned data set.
        encoded: Data set as token arrays, for each encoding that a trial uses.
        findings: Sentence for each thing that the user should know of the data.
        components: Code of what stays together of each pair of train, then of validation, where a
            search divides them into folds; else None.
    """

    experiment: Experiment
    trials: list[TrialConfig]
    data_source: Source
    encoder_source: Source
    encoder: EncoderInfo
    pairs: PairData
    encoded: Mapping[Encoding, TokenData]
    findings: list[str]
    components: np.ndarray | None = None

    @property
    def tokens(self) -> TokenData:
        """Return the data set as token arrays, in the first trial's encoding."""
        return self.encoded[self.trials[0].encoding]

    def depth_of(self, trial: TrialConfig) -> int:
        """Return the number of encoder layers that the trial keeps frozen."""
        return frozen_layers(trial.freezing, self.encoder.layers)

    @property
    def depths(self) -> list[int]:
        """Return the distinct numbers of frozen layers among the trials, in rising order."""
        return sorted({self.depth_of(trial) for trial in self.trials})

    def variant_of(self, trial: TrialConfig) -> tuple[int, Encoding, bool]:
        """Return what decides a trial's inputs: depth, encoding, whether layers are averaged."""
        depth = self.depth_of(trial)
        return depth, trial.encoding, trial.layer_mean and depth == self.encoder.layers

    @property
    def input_variants(self) -> list[TrialConfig]:
        """Return a trial for each ``variant_of``, those with most trained layers first."""
        found = {self.variant_of(trial): trial for trial in self.trials}
        return [found[key] for key in sorted(found)]

    @property
    def notices(self) -> list[str]:
        """Return a sentence for each thing that was replaced or cut, or should be known."""
        replaced = (self.encoder_source.notice, self.data_source.notice)
        return [*filter(None, replaced), *self.findings]

    @property
    def details(self) -> list[str]:
        """Return what libraries reported about what was replaced, for those who ask."""
        found = (self.encoder_source.detail, self.data_source.detail)
        return [detail for detail in found if detail]


def prepare(
    experiment: Experiment,
    locations: DataLocations,
    *,
    strict: bool = False,
    console: Console | None = None,
) -> Prepared:
    """Return the experiment ready to run.

    Args:
        experiment: Experiment as loaded.
        locations: Locations of data sets on disk and on the network.
        strict: Whether ``auto`` is an error where something else would stand in.
        console: Console for the progress of downloads; None shows nothing.

    Raises:
        SourceError: If data set or encoder is unavailable.
        DataError: If the data set is broken, or a text does not fit the encoder.
        EncoderError: If the encoder cannot be read, or has fewer layers than a trial freezes.
        ConfigError: If a trial learns from votes, and the data set has none; or needs a cosine
            that its encoding does not have, or an encoding that the encoder does not have; or if
            there are too few pairs for the folds.
        OSError: If a file cannot be read.
    """
    encoder_source = find_encoder(experiment.encoder, strict=strict, console=console)
    data_source = find_data(experiment.data, locations, strict=strict, console=console)
    encoder = read_encoder_info(encoder_source.folder)
    trials = _trials_of(experiment, encoder)
    pairs = read_pairs(data_source.folder, experiment.cleaning)
    if not pairs.has_votes and _needs_votes(experiment, trials):
        rule = "must be labels or auto: not every pair of the data set has votes"
        raise ConfigError(experiment.name, [f"targets: {rule} ({data_source.folder})"])
    size = len(pairs.splits["train"].labels)
    trials = [trial.fit_to_data(pairs=size, votes=pairs.has_votes) for trial in trials]
    encoded = _tokenise_for(trials, experiment, encoder, pairs, locations.cache)
    return Prepared(
        experiment=experiment,
        trials=trials,
        data_source=data_source,
        encoder_source=encoder_source,
        encoder=encoder,
        pairs=pairs,
        encoded=encoded,
        findings=list(_findings(experiment, encoder, pairs, encoded)),
        components=_components(experiment, pairs),
    )


def _components(experiment: Experiment, pairs: PairData) -> np.ndarray | None:
    """Return what stays together in folds; None without; a ConfigError if pairs are too few."""
    folds = experiment.validation.folds
    if folds is None:
        return None
    try:
        return fold_components(pairs.splits["train"], pairs.splits["validation"], folds)
    except ValueError as error:
        raise ConfigError(experiment.name, [str(error)]) from error


def _tokenise_for(
    trials: list[TrialConfig],
    experiment: Experiment,
    encoder: EncoderInfo,
    pairs: PairData,
    cache: Path,
) -> dict[Encoding, TokenData]:
    """Return the data set as token arrays, for each encoding that a trial uses."""
    encodings: dict[Encoding, None] = dict.fromkeys(trial.encoding for trial in trials)
    return {
        encoding: load_or_tokenise(
            pairs,
            encoder,
            cache,
            max_tokens=cut_length(experiment, encoder),
            both_orders=any(trial.both_orders for trial in trials),
            encoding=encoding,
        )
        for encoding in encodings
    }


def _trials_of(experiment: Experiment, encoder: EncoderInfo) -> list[TrialConfig]:
    """Return the trials of a grid, or a trial for each input variant of a search.

    Raises:
        EncoderError: If a trial freezes more layers than the encoder has.
        ConfigError: If a trial needs a cosine that its encoding does not have, or an encoding
            that the encoder does not have.
    """
    if experiment.search is None:
        trials = experiment.trials()
    else:
        trials = input_variants(experiment, encoder.layers)
    if _reads_across(encoder) and any(trial.encoding == "separate" for trial in trials):
        rule = (
            f"must be pair for an encoder whose convolution reads across texts: {encoder.folder}"
        )
        searched = "encoding" in experiment.space
        way = "draw no other in space.encoding" if searched else "--set encoding=pair"
        raise ConfigError(experiment.name, [f"encoding: {rule}; {way}"])
    for trial in trials:
        depth = frozen_layers(trial.freezing, encoder.layers)  # raises
        if trial.cosine_feature is True and (depth == 0 or trial.encoding == "pair"):
            rule = "needs encoding: separate and a frozen layer"
            values = f"encoding: {trial.encoding} and freezing: {trial.freezing}"
            way = "auto has the cosine where both are given"
            raise ConfigError(experiment.name, [f"cosine_feature: {rule}, got {values}; {way}"])
    return trials


def _reads_across(encoder: EncoderInfo) -> bool:
    """Return whether the encoder cannot read the texts of a pair apart from each other."""
    key = FAMILIES[encoder.architecture].convolution
    return key is not None and (read_json(encoder.folder / CONFIG).get(key) or 0) > 0


def _needs_votes(experiment: Experiment, trials: list[TrialConfig]) -> bool:
    axis = experiment.space.get("targets")
    return "votes" in [*(axis.ends if axis else []), *(trial.targets for trial in trials)]


def cut_length(experiment: Experiment, encoder: EncoderInfo) -> int | None:
    """Return the tokens that a pair, or each of its texts, is cut to; None if none is cut."""
    return experiment.max_tokens or (encoder.max_tokens if experiment.truncate else None)


def _findings(
    experiment: Experiment,
    encoder: EncoderInfo,
    pairs: PairData,
    encoded: Mapping[Encoding, TokenData],
) -> Iterator[str]:
    """Yield a sentence for each thing that the user should know of the data."""
    shared = describe_shared(pairs)
    if shared:
        yield shared
    axis = experiment.space.get("class_weight")
    weights = [*(axis.ends if axis else experiment.grid.get("class_weight", []))]
    balance = describe_balance(
        pairs, weighted="balanced" in [*weights, experiment.trial.class_weight]
    )
    if balance:
        yield balance
    if (experiment.max_tokens or 0) > encoder.max_tokens:
        limited = " and ".join("pairs" if each == "pair" else "texts" for each in encoded)
        yield (
            f"max_tokens: {experiment.max_tokens} is more than the encoder takes: {limited} have "
            f"at most {encoder.max_tokens} word pieces"
        )
    for encoding, tokens in encoded.items():
        what = "word pieces" if encoding == "pair" else "word pieces a text"
        for split, count in tokens.truncated.items():
            if count:
                yield f"{split}: {count} pairs were cut to {tokens.max_tokens} {what}"
