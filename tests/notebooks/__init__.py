"""How the chapters are executed, compared, normalized and checked."""
