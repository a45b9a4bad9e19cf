"""What the chapters see of Colab; as there, the kernel imports it before the first cell."""
