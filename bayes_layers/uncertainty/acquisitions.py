"""Which acquisition functions exist, and what each is computed from. Light: no TensorFlow."""

# What a score needs to be accumulated over the Monte-Carlo samples; see `scores.moments_of`.
MOMENTS_OF_SCORE = {
    "max_entropy": ("mean",),
    "var_ratios": ("mean",),
    "hard_var_ratios": ("votes",),
    "bald": ("mean", "expected_entropy"),
    "mean_std": ("variance",),
}

ACQUISITIONS = ("random", *MOMENTS_OF_SCORE)
MOMENTS = tuple(dict.fromkeys(need for needs in MOMENTS_OF_SCORE.values() for need in needs))
