"""The kinds of position in a tokenised pair.

A pair encoded together is [CLS] first [SEP] second [SEP], and its special tokens are SPECIAL. A
pair encoded separately is [CLS] first [SEP] [CLS] second [SEP]; special tokens of the second text
are SECOND_SPECIAL, so that a position's kind says which text it was encoded with.
"""

PADDING, SPECIAL, FIRST, SECOND, SECOND_SPECIAL = range(5)

# The kind in the place of the second text of what was encoded as a text alone.
AS_SECOND = (PADDING, SECOND_SPECIAL, SECOND)
