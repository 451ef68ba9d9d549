"""Where files, their manifest and their rows are: pyarrow's file systems and Delta."""
