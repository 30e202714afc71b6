"""A Jupyter kernel on `jupyter_protocol` alone, to read and to copy from."""
