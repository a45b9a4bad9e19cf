"""The course's networks, one family a file; nothing is imported until a chapter asks."""
