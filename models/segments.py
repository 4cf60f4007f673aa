"""The four kinds of position in a tokenised pair: [CLS] first [SEP] second [SEP] padding."""

PADDING, SPECIAL, FIRST, SECOND = range(4)
