"""The paper's successor, DGCD: the network of the paper with a refiner and contrastive maps."""
