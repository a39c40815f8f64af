"""What ``scripts/bench.py`` measures, and the two sides that compute it."""
