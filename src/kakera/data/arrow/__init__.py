"""Tables with encoded files: Parquet, and data sets that `datasets` has saved (Arrow). Needs pyarrow."""
