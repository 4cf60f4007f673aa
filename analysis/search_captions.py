"""Captions of the chapter on a search."""

SEARCH_FIGURES = {
    "search_history": "What each trial of the search is worth, {measure}, and the best so far.",
    "search_tried": "The trials of each encoding and head of the space, and their number: "
    "given (try_first), of the start-up, which is spread evenly over the space, or proposed by "
    "TPE. A warm start's trials ran in another launch and are not shown.",
    "search_parallel": "Every trial of the search as a line through the parameters of the "
    "highest importance, the brighter the higher its {measure}.",
    "search_importance": "Importance of the searched parameters for {measure}: {evaluator}. "
    "Drawn are the {shown} highest; tables/search_importance.csv has all. Lines: 95 % intervals "
    "over trials drawn with replacement; where they overlap, ranks may be chance.",
    "search_budget": "{measure} that the best of so many random trials is expected to have "
    "(Dodge et al., 2019; unbiased, Tang et al., 2020), with the 95 % interval over trials drawn "
    "with replacement, none of which is better than the best of the {count}.",
}
SEARCH_TABLES = {
    "budget": "The expected best {measure} by the number of random trials: the start-up of the "
    "search, {count} trials. A Sobol sequence spreads them over the space: taken as independent "
    "draws, which they are not, they give an approximation. What was given, learned from another "
    "launch or proposed by TPE is not among them.",
}
