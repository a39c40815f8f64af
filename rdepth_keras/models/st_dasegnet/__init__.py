"""ST-DASegNet: two students of one image, disentangled, with a head each."""
