"""Measurements of time: ours beside what a learner would take instead."""
