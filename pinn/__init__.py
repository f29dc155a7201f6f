"""pinn: physics-informed solution of partial differential equations."""
