"""Decoders: a tuple of four feature maps -> one map for the classifier, a layer each."""
