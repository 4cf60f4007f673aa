"""From an experiment to everything that is known before a trial runs; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from models.encoder_files import EncoderInfo, frozen_layers, read_encoder_info
from tuning.config.experiment import ConfigError, Experiment, TrialConfig
from tuning.data.pairs import PairData, read_pairs
from tuning.data.sources import DataLocations, Source, find_data, find_encoder
from tuning.data.tokenization import TokenData, tokenise


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """An experiment with its data and encoder found, verified and tokenised."""

    experiment: Experiment
    trials: list[TrialConfig]
    data_source: Source
    encoder_source: Source
    encoder: EncoderInfo
    pairs: PairData
    tokens: TokenData

    def depth_of(self, trial: TrialConfig) -> int:
        """Return how many layers of the encoder the trial keeps frozen."""
        return frozen_layers(trial.freezing, self.encoder.layers)

    @property
    def depths(self) -> list[int]:
        """Return the different numbers of frozen layers among the trials, in rising order."""
        return sorted({self.depth_of(trial) for trial in self.trials})

    @property
    def notices(self) -> list[str]:
        """Return what was replaced or cut, a sentence each."""
        found = [self.encoder_source.notice, self.data_source.notice]
        for split, count in self.tokens.truncated.items():
            if count:
                limit = self.tokens.max_tokens
                found.append(f"{split}: {count} pairs were cut to {limit} word pieces")
        return [notice for notice in found if notice]


def prepare(experiment: Experiment, locations: DataLocations, *, strict: bool = False) -> Prepared:
    """Return the experiment ready to run.

    Args:
        experiment: As loaded.
        locations: Where to look for data and encoders.
        strict: Refuse the embedded defaults as stand-ins for what cannot be had.

    Raises:
        ConfigError, DataError, EncoderError, SourceError, OSError: See the modules that raise.
    """
    encoder_source = find_encoder(experiment.encoder, strict=strict)
    data_source = find_data(experiment.data, locations, strict=strict)
    encoder = read_encoder_info(encoder_source.folder)
    trials = experiment.trials()
    if experiment.search is not None:
        trials = experiment.input_variants(encoder.layers // 2)
    for trial in trials:
        frozen_layers(trial.freezing, encoder.layers)
    pairs = read_pairs(data_source.folder, experiment.cleaning)
    drawn = experiment.space["targets"].ends if "targets" in experiment.space else []
    asked = {*drawn, *(trial.targets for trial in trials)}
    if not pairs.has_votes and "votes" in asked:
        rule = "must be labels or auto: the data set has no votes for every pair"
        raise ConfigError(experiment.name, [f"targets: {rule} ({data_source.folder})"])
    size = len(pairs.splits["train"].labels)
    trials = [trial.fit_to_data(pairs=size, votes=pairs.has_votes) for trial in trials]
    tokens = tokenise(
        pairs,
        encoder,
        max_tokens=experiment.max_tokens,
        both_orders=any(trial.both_orders for trial in trials),
    )
    return Prepared(
        experiment=experiment,
        trials=trials,
        data_source=data_source,
        encoder_source=encoder_source,
        encoder=encoder,
        pairs=pairs,
        tokens=tokens,
    )
