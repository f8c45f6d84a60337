"""Independent definitions that the package is measured against; they share no code with it."""
