"""Studies: what the documentation reports in numbers, each a command that writes its page."""
