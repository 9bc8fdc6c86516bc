"""Where the figures of each epoch go while a network is fitted."""
