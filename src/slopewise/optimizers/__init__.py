"""Stage 4: torch.optim by name, schedules, and how far a step may go."""
