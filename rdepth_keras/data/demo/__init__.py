"""Procedural scenes of two domains: labelled tiles with depth, made from a seed, no download."""
