"""Helpers of Deep Learning Live: one idea a file, nothing imported until a chapter asks."""
