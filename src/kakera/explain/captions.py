"""Sentences that explain how to read a map; the page of `kakera explain` and the explorer share them."""

MAP_RANGE = "dark is 0, and light is the largest value"
ATTENTION = (
    "The attention of one token, the framed patch or the class token: it receives the values of the light "
    "patches."
)
SIMILARITY = (
    "Cosine similarity with the framed patch: light is similar, grey is unrelated, dark blue is opposite."
)
RELEVANCE = "relevance of each patch for the class named above the map"
RECONSTRUCTION = (
    "The hidden patches as the model predicts them from the visible ones: a good prediction fits its "
    "surroundings; it need not be a copy."
)
