"""The use-cases, a room for each duty; they speak to the outside through `ports` only."""
