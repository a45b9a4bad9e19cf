"""Chapters under the package versions of Google Colab, behind a fake ``google.colab``."""
