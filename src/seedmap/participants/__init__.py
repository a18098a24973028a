"""A BIDS data set: which runs there are, how they are denoised, and each participant's work."""
