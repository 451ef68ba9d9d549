"""What `spark-submit` runs: the command line, such as `submitted.py jobs run --master submit`."""

from lakeshelf.cli.main import app_main

if __name__ == "__main__":
    app_main()
